"""How long do the metrics of many panes take? Prints a line for each shape of traffic.

Run from the project's root: `python -m benchmarks.metrics_compute`.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from pipeline.cells import BUCKET_OFFSET, Floats, Ints, Keys, Kind, Names, cell_keys
from pipeline.metrics import PaneBatch, compute

REPEATS = 15


def dense(panes: int, random: np.random.Generator) -> PaneBatch:
    """Return panes of busy models: 150 latency buckets, 100 confusion cells of 10 classes, 10 features, 2 variants."""
    names = Names(
        features=[f"feature_{index}" for index in range(10)],
        key_sets=[np.zeros(0, dtype=np.int64), np.arange(10, dtype=np.int64)],
        classes=list(range(10)),
        variants=["", "control", "treatment"],
    )
    predicted, actual = np.divmod(np.arange(100, dtype=np.int64), 10)
    keys = np.sort(
        np.concatenate(
            [
                cell_keys(Kind.KEYS, np.array([1])),
                cell_keys(Kind.NULL, np.arange(10)),
                cell_keys(Kind.LATENCY, BUCKET_OFFSET + 100 + np.arange(150)),
                cell_keys(Kind.CONFUSION, predicted, actual),
                cell_keys(Kind.OUTCOME_KNOWN, np.arange(1, 3)),
                cell_keys(Kind.CONVERTED, np.arange(1, 3)),
                *(cell_keys(kind, np.array([0])) for kind in (Kind.LATENCY_SUM, Kind.LATENCY_MAX, Kind.ERROR, Kind.LABELLED)),
                *(cell_keys(kind, np.array([0])) for kind in (Kind.REVENUE_COUNT, Kind.REVENUE, Kind.DUPLICATE, Kind.LATE)),
            ]
        )
    )
    value = random.integers(1, 50, (panes, keys.size)).astype(np.float64)
    kind = (keys >> np.uint64(56)).astype(np.int64)
    value[:, (kind == Kind.KEYS) | (kind == Kind.OUTCOME_KNOWN) | (kind == Kind.LATENCY_MAX)] += 20_000
    return batch_of(np.repeat(np.arange(panes), keys.size), np.tile(keys, panes), value.ravel(), panes, names)


def sparse(panes: int, random: np.random.Generator) -> PaneBatch:
    """Return panes of one prediction each, as rare traffic makes them: 4 cells a pane."""
    keys = np.empty((panes, 4), dtype=np.uint64)
    keys[:, 0] = cell_keys(Kind.KEYS, np.zeros(panes, dtype=np.int64))
    keys[:, 1] = cell_keys(Kind.LATENCY, BUCKET_OFFSET + random.integers(100, 400, panes))
    keys[:, 2] = cell_keys(Kind.LATENCY_SUM)
    keys[:, 3] = cell_keys(Kind.LATENCY_MAX)
    value = np.ones((panes, 4))
    value[:, 2:] = random.lognormal(3, 1, panes)[:, None]
    return batch_of(np.repeat(np.arange(panes), 4), keys.ravel(), value.ravel(), panes, Names())


def batch_of(pane: Ints, key: Keys, value: Floats, panes: int, names: Names) -> PaneBatch:
    """Return a batch of automatic task over windows of 10 s, all of them over."""
    ten_seconds = np.full(panes, 10.0)
    return PaneBatch(
        count=panes,
        pane=pane,
        key=key,
        value=value,
        length_s=ten_seconds,
        elapsed_s=ten_seconds,
        positive_class=np.full(panes, -1, dtype=np.int64),
        task=np.zeros(panes, dtype=np.int8),
        rolling=np.zeros(panes, dtype=np.bool_),
        names=names,
    )


def report(title: str, batch: PaneBatch) -> None:
    """Print the median and the least time of `compute`, wall clock and of the processor."""
    rows = compute(batch).pane.size
    wall, processor = [], []
    for _ in range(REPEATS):
        wall_start, processor_start = time.perf_counter(), time.process_time()
        compute(batch)
        wall.append(1e3 * (time.perf_counter() - wall_start))
        processor.append(1e3 * (time.process_time() - processor_start))
    print(
        f"{title}: {batch.count} panes, {batch.pane.size} cells, {rows} rows: median {statistics.median(wall):.1f} ms, "
        f"least {min(wall):.1f} ms, processor {statistics.median(processor):.1f} ms"
    )


def main() -> None:
    """Measure both shapes of traffic."""
    random = np.random.default_rng(1)
    report("dense", dense(2_000, random))
    report("sparse", sparse(100_000, random))


if __name__ == "__main__":
    main()
