"""Ten million predictions that wait for their labels: what they cost, and what an outcome among them costs.

    python -m benchmarks.pending [--predictions 10000000] [--traffic 1200000] [--json FILE]

On an embedded Kafka, first with few that wait, as many as get outcomes, then with all: the predictions that wait; traffic whose outcomes
are for random ones of these; and as many outcomes alone. Both lie in the same ten minutes, so that they touch the same windows, and what
differs is how many wait. At last all of them expire at once while events come. A rate is the records over the seconds of
`tower pipeline --until-caught-up` less those of a run that finds nothing to do. Before each run the pipeline has come to rest: what
RocksDB has still to compact after ten million writes at once is no part of what comes next. Between the two, reading and parsing such
records and nothing else (consume + loads) is measured, too.

Ends with exit code 1 when the memory reaches 1 GB, the traffic among all comes to less than 0.25 of the rate of consume + loads or, for
each CPU second, to less than 0.9 of that among few, an outcome does not reach its prediction, fewer expire than come, or nothing is
published for more than a second meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.home import ROOT, Home, home_with_kafka, say
from benchmarks.pending.expiring import Expiry, expire_all
from benchmarks.pending.load import OUTCOME_EVERY, Templates, outcomes, send, templates, traffic, waiting
from benchmarks.pending.measured import Cost, catch_up, settle
from benchmarks.soak.disk import disk
from benchmarks.throughput.candidate import Reads, python_module
from benchmarks.throughput.process import run
from schemas.lake import metrics_view_sql

HOUR_MS = 3_600_000
SETTINGS = {"pipeline.label_horizon": "6h", "retention.10s": "1m", "retention.1m": "5m"}
"""The windows of seconds and minutes are past, as they are when labels come days later: else publishing them again is most of the work."""
WAITING_SINCE_MS = 8 * HOUR_MS
"""Two hours longer than the horizon: events of now let all of them expire, those of their own time do not."""
SPAN_MS = 10 * 60_000
WAITS = b"waiting-"
MOST_MEMORY = 1_000_000_000
LEAST_RATIO = 0.9
LEAST_OF_LOADS = 0.25
"""As for everything on without any that wait: see `benchmarks.throughput`."""
LOADS_LIMIT_S = 300
LONGEST_GAP_S = 1.0
KAFKA_BYTES = 8 << 30
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
class Held:
    """What was measured with so many that wait; `bytes_each` is the disk of the shards for each, `labelled` how many got their label."""

    predictions: int
    held: Step
    among: Step
    alone: Step
    bytes_each: float
    labelled: int
    wanted_labels: int

    @property
    def steps(self) -> tuple[Step, ...]:
        """The lines of the table."""
        return self.held, self.among, self.alone


@dataclass(frozen=True, slots=True)
class Found:
    """All that was measured."""

    few: Held
    all: Held
    expiry: Expiry
    loads: float
    """Records a second of consume + loads."""

    @property
    def ratio(self) -> float:
        """The traffic among all over that among few, for each CPU second."""
        return self.all.among.per_cpu_second / self.few.among.per_cpu_second

    @property
    def of_loads(self) -> float:
        """The rate of the traffic among all over that of consume + loads."""
        return self.all.among.rate / self.loads


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether the goals were met."""
    options = _options(arguments)
    kinds = templates(options.seed)
    with tempfile.TemporaryDirectory(prefix="tower-pending-") as folder:
        with home_with_kafka(Path(folder) / "few", SETTINGS, retention_bytes=KAFKA_BYTES) as home:
            few = _hold(home, kinds, 2 * (options.traffic // OUTCOME_EVERY), options)
            loads = _loads(home)
        with home_with_kafka(Path(folder) / "all", SETTINGS, retention_bytes=KAFKA_BYTES) as home:
            everything = _hold(home, kinds, options.predictions, options)
            expiry = expire_all(home, options.rate, options.predictions + options.traffic, options.minutes * 60)
    found = Found(few, everything, expiry, loads)
    _print(found)
    if options.json is not None:
        content = {"cores": os.cpu_count(), "python": platform.python_version(), **asdict(found)}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    missed = misses(found)
    print("\nAll goals are met." if not missed else "\nMissed: " + "; ".join(missed))
    return 1 if missed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pending", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--predictions", type=int, default=10_000_000, help="how many wait (default 10000000)")
    parser.add_argument("--traffic", type=int, default=1_200_000, help="predictions of the ordinary traffic; a third as many outcomes")
    parser.add_argument("--rate", type=float, default=10_000, help="events per second while all expire (default 10000)")
    parser.add_argument("--minutes", type=float, default=20, help="how long all may take to expire (default 20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured there")
    options = parser.parse_args(arguments)
    if options.predictions < options.traffic:
        parser.error("--predictions must be as many as --traffic at least: each outcome is for another one of them")
    return options


def _hold(home: Home, kinds: Templates, predictions: int, options: argparse.Namespace) -> Held:
    start = time.time_ns() // 1_000_000 - WAITING_SINCE_MS
    end = start + SPAN_MS
    records = send(home.kafka, waiting(kinds, WAITS, predictions, start, end), options.seed)
    held = _step(f"{predictions:,} that wait", home, records)
    sizes = disk(home.folder)
    bytes_each = (sizes.shards + sizes.logs) / predictions
    say(f"{bytes_each:.0f} bytes of disk each")
    drawn = np.random.default_rng(options.seed).permutation(predictions)[: 2 * (options.traffic // OUTCOME_EVERY)]
    first, second = np.array_split(drawn, 2)
    labelled = outcomes(kinds, WAITS, first.tolist(), end + 1_000)
    records = send(home.kafka, traffic(kinds, options.traffic, end, end + SPAN_MS, labelled), options.seed)
    among = _step("traffic with outcomes for them", home, records)
    records = send(home.kafka, outcomes(kinds, WAITS, second.tolist(), end + 2_000), options.seed)
    alone = _step("outcomes for them alone", home, records)
    return Held(predictions, held, among, alone, bytes_each, _labels(home), len(drawn))


def _loads(home: Home) -> float:
    """Return the records a second of consume + loads over both topics."""
    command = python_module("consume", home.kafka.bootstrap_servers, Reads.BOTH.value, "parse")
    found = run("consume + loads", command, root=ROOT, limit_s=LOADS_LIMIT_S).report()
    say(f"consume + loads: {found.events / found.seconds:,.0f} events/s")
    return found.events / found.seconds


def _step(name: str, home: Home, records: int) -> Step:
    say(f"{name}: {records:,} records written")
    log = home.folder / "pipeline.txt"
    busy = catch_up(home, log)
    settle(home, log)
    found = Step(name, records, busy, catch_up(home, log))
    say(found.row())
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
    expiry = found.expiry
    memory = max(expiry.rss, *(step.cost.rss for step in found.all.steps))
    lost = sum(held.wanted_labels - held.labelled for held in (found.few, found.all))
    checks = [
        (memory < MOST_MEMORY, f"memory of {memory / MIB:,.0f} MiB"),
        (found.ratio >= LEAST_RATIO, f"traffic among all at {found.ratio:.2f} of the rate among few"),
        (found.of_loads >= LEAST_OF_LOADS, f"traffic among all at {found.of_loads:.2f} of consume + loads"),
        (lost == 0, f"{lost:,} labels did not reach their prediction"),
        (expiry.expired >= expiry.wanted, f"only {expiry.expired:,} of {expiry.wanted:,} expired within {expiry.seconds / 60:.0f} minutes"),
        (expiry.expired >= expiry.rate * expiry.seconds, f"{expiry.expired / expiry.seconds:,.0f} expired a second"),
        (expiry.longest_gap_s <= LONGEST_GAP_S, f"nothing published for {expiry.longest_gap_s:.1f} s"),
    ]
    return [text for good, text in checks if not good]


def _print(found: Found) -> None:
    print("\n| | records | events/s | events per CPU s | peak memory | of it of no file | start and end alone |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for step in (*found.few.steps, *found.all.steps):
        print(step.row())
    few, everything, expiry = found.few, found.all, found.expiry
    alone = everything.alone.per_cpu_second / few.alone.per_cpu_second
    print(f"\nTraffic among all: {found.of_loads:.2f} of consume + loads, which is {found.loads:,.0f} events/s.")
    print(f"For each CPU second, {everything.predictions:,} over {few.predictions:,}: {found.ratio:.2f}; outcomes alone {alone:.2f}.")
    print(f"Disk: {everything.bytes_each:.0f} bytes for each prediction that waits.")
    print(f"Labels that reached their prediction: {everything.labelled:,} of {everything.wanted_labels:,}.")
    print(
        f"Expiry: {expiry.expired:,} in {expiry.seconds:.0f} s, {expiry.expired / expiry.seconds:,.0f} a second, while {expiry.rate:,.0f} "
        f"events/s came; longest time without a message {expiry.longest_gap_s:.2f} s; at most {expiry.largest_lag:,} events waited; "
        f"{expiry.rss / MIB:,.0f} MiB; load of the machine a core: {expiry.load:.1f}."
    )


if __name__ == "__main__":
    sys.exit(main())
