"""Ten million predictions that wait for their labels: what they cost, and what an outcome among them costs.

    python -m benchmarks.pending [--predictions 10000000] [--traffic 900000] [--json FILE]

On an embedded Kafka: ordinary traffic on a fresh home; then, on another one, the predictions that wait; the same traffic, but with its
outcomes for random ones of these; as many outcomes alone; and at last all of them expire at once while events come.
A rate is the records over the seconds of `tower pipeline --until-caught-up` less those of a run that finds nothing to do.

Ends with exit code 1 when the memory reaches 1 GB, the traffic with lookups among them is slower than 0.9 of that without for each CPU
second, an outcome does not reach its prediction, or nothing is published for more than a second while they expire.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import numpy as np
from confluent_kafka.admin import AdminClient

from benchmarks.home import Home
from benchmarks.pending.expiring import Expiry, expire_all
from benchmarks.pending.load import Templates, outcomes, send, templates, traffic, waiting
from benchmarks.pending.measured import Cost, catch_up
from benchmarks.soak.disk import disk
from control.broker import EmbeddedBroker
from schemas.kafka import KafkaSettings, admin_config
from schemas.lake import metrics_view_sql
from schemas.topics import ensure_topics

HOUR_MS = 3_600_000
SETTINGS = {"pipeline.label_horizon": "6h"}
WAITING_SINCE_MS = 8 * HOUR_MS
"""Two hours longer than the horizon: events of now let all of them expire, those of their own time do not."""
SPAN_MS = 10 * 60_000
WAITS = b"waiting-"
MOST_MEMORY = 1_000_000_000
LEAST_RATIO = 0.9
LONGEST_GAP_S = 1.0
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the table: `records` that a run took, what it cost, and what a run with nothing to do costs on that home."""

    name: str
    records: int
    cost: Cost
    idle: Cost

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / (self.cost.wall - self.idle.wall)

    @property
    def per_cpu_second(self) -> float:
        """Records a CPU second."""
        return self.records / (self.cost.cpu - self.idle.cpu)

    def row(self) -> str:
        """Return the line."""
        memory = f"{self.cost.rss / MIB:,.0f} MiB | {self.cost.anonymous / MIB:,.0f} MiB"
        return f"| {self.name} | {self.records:,} | {self.rate:,.0f} | {self.per_cpu_second:,.0f} | {memory} | {self.idle.wall:.1f} s |"


@dataclass(frozen=True, slots=True)
class Found:
    """All that was measured; `bytes_each` is the disk of the shards a prediction that waits, and `labelled` how many got their label."""

    without: Step
    held: Step
    among: Step
    alone: Step
    bytes_each: float
    labelled: int
    wanted_labels: int
    expiry: Expiry

    @property
    def ratio(self) -> float:
        """The traffic among those that wait over that without them, for each CPU second."""
        return self.among.per_cpu_second / self.without.per_cpu_second


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether the goals were met."""
    options = _options(arguments)
    kinds = templates(options.seed)
    with tempfile.TemporaryDirectory(prefix="tower-pending-") as folder:
        with _kafka(Path(folder) / "first") as kafka:
            without = _without(Home(Path(folder) / "first-home", kafka, SETTINGS), kinds, options)
        with _kafka(Path(folder) / "second") as kafka:
            found = _with(Home(Path(folder) / "second-home", kafka, SETTINGS), kinds, options, without)
    _print(found, options.predictions)
    if options.json is not None:
        content = {"cores": os.cpu_count(), "python": platform.python_version(), "predictions": options.predictions, **asdict(found)}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    missed = misses(found)
    print("\nAll goals are met." if not missed else "\nMissed: " + "; ".join(missed))
    return 1 if missed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pending", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--predictions", type=int, default=10_000_000, help="how many wait (default 10000000)")
    parser.add_argument("--traffic", type=int, default=900_000, help="predictions of the ordinary traffic; a third as many outcomes")
    parser.add_argument("--rate", type=float, default=10_000, help="events per second while all expire (default 10000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured there")
    options = parser.parse_args(arguments)
    if options.predictions < options.traffic:
        parser.error("--predictions must be as many as --traffic at least: each outcome is for another one of them")
    return options


@contextmanager
def _kafka(folder: Path) -> Iterator[KafkaSettings]:
    with EmbeddedBroker(folder, report=_say) as kafka:
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=kafka.event_partitions)
        yield kafka


def _without(home: Home, kinds: Templates, options: argparse.Namespace) -> Step:
    start = _now_ms() - WAITING_SINCE_MS + SPAN_MS
    home.folder.mkdir(parents=True)
    records = send(home.kafka, traffic(kinds, options.traffic, start, start + SPAN_MS), options.seed)
    return _step("traffic, nothing waits", home, records)


def _with(home: Home, kinds: Templates, options: argparse.Namespace, without: Step) -> Found:
    home.folder.mkdir(parents=True)
    start = _now_ms() - WAITING_SINCE_MS
    end = start + SPAN_MS
    records = send(home.kafka, waiting(kinds, WAITS, options.predictions, start, end), options.seed)
    held = _step(f"{options.predictions:,} that wait", home, records)
    bytes_each = disk(home.folder).shards / options.predictions
    drawn = np.random.default_rng(options.seed).permutation(options.predictions)[: 2 * (options.traffic // 3)]
    first, second = np.array_split(drawn, 2)
    labelled = outcomes(kinds, WAITS, first.tolist(), end + 1_000)
    records = send(home.kafka, traffic(kinds, options.traffic, end, end + SPAN_MS, labelled), options.seed)
    among = _step("traffic, outcomes for random ones of them", home, records)
    records = send(home.kafka, outcomes(kinds, WAITS, second.tolist(), end + 2_000), options.seed)
    alone = _step("outcomes for others of them alone", home, records)
    labels = _labels(home)
    wanted = options.predictions + options.traffic
    expiry = expire_all(home, options.rate, wanted)
    return Found(without, held, among, alone, bytes_each, labels, len(drawn), expiry)


def _step(name: str, home: Home, records: int) -> Step:
    _say(f"{name}: {records:,} records written")
    log = home.folder / "pipeline.txt"
    busy = catch_up(home, log)
    found = Step(name, records, busy, catch_up(home, log))
    _say(found.row())
    return found


def _labels(home: Home) -> int:
    """Return how many predictions have a label, by the metrics of the days."""
    with duckdb.connect() as connection:
        rows = connection.execute(f"""
            SELECT sum(value * n) FROM ({metrics_view_sql(home.folder)})
            WHERE "window" = '1d' AND metric = 'label_coverage' AND model_version = '*' AND segment = '*'
        """).fetchall()
    return round(rows[0][0] or 0)


def misses(found: Found) -> list[str]:
    """Return which goals were missed."""
    memory = max(found.held.cost.rss, found.among.cost.rss, found.alone.cost.rss, found.expiry.rss)
    checks = [
        (memory < MOST_MEMORY, f"memory of {memory / MIB:,.0f} MiB"),
        (found.ratio >= LEAST_RATIO, f"with lookups among those that wait {found.ratio:.2f} of the rate without"),
        (found.labelled == found.wanted_labels, f"{found.labelled:,} labels of {found.wanted_labels:,}"),
        (found.expiry.longest_gap_s <= LONGEST_GAP_S, f"nothing published for {found.expiry.longest_gap_s:.1f} s"),
    ]
    return [text for good, text in checks if not good]


def _print(found: Found, predictions: int) -> None:
    print("\n| | records | events/s | events per CPU s | peak memory | of it of no file | start and end alone |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for step in (found.without, found.held, found.among, found.alone):
        print(step.row())
    expiry = found.expiry
    print(f"\nTraffic with outcomes among {predictions:,} over traffic without: {found.ratio:.2f} for each CPU second,")
    print(
        f"{found.among.rate / found.without.rate:.2f} for each second. Disk: {found.bytes_each:.0f} bytes for each prediction that waits."
    )
    print(f"Labels that reached their prediction: {found.labelled:,} of {found.wanted_labels:,}.")
    print(
        f"Expiry: {expiry.expired:,} in {expiry.seconds:.0f} s, {expiry.expired / expiry.seconds:,.0f} a second; longest time without a "
        f"message {expiry.longest_gap_s:.2f} s; lag at most {expiry.largest_lag:,} events; {expiry.rss / MIB:,.0f} MiB."
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
