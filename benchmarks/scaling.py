"""What a second process costs: the CPU that `pipeline --processes N` needs for the same events, against one process.

    python -m benchmarks.scaling [--processes 2] [--events 1500000] [--rounds 4]

Runs an embedded Kafka and works off the same backlog with everything on, in turn as one process and as N, each time on a fresh home, with
its result checked as by `benchmarks.throughput`; start-up and shutdown alone are taken off. With cores enough, N processes are
N x (CPU of one) / (CPU of N) times as fast as one; medians are compared. Seconds by the clock stand beside: on two cores they tell whether
one waits for the other, since two processes cannot be faster there than the cores are.

Ends with exit code 1 when a result is wrong or, for two processes, that comes to less than 1.6.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka.admin import AdminClient

from benchmarks.home import say
from benchmarks.throughput.__main__ import prepare
from benchmarks.throughput.candidate import Stage
from benchmarks.throughput.candidates.tower_everything import Everything
from control.broker import EmbeddedBroker
from schemas.kafka import admin_config
from schemas.topics import ensure_topics

GOAL = 1.6


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 when the goal is missed or a result is wrong."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="tower-scaling-") as folder, EmbeddedBroker(Path(folder) / "kafka", report=say) as kafka:
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=kafka.event_partitions)
        stage = prepare(kafka, Path(folder), options.events, seed=1)
        one, many = _rounds(stage, options.processes, options.rounds)
    gain = options.processes * statistics.median(run.cpu for run in one) / statistics.median(run.cpu for run in many)
    written = stage.written
    print(f"\n{written.predictions:,} predictions and {written.outcomes:,} outcomes, everything on; without start-up and shutdown\n")
    print("| processes | CPU s, median (least to most) | s, median (least to most) |")
    print("|---|---:|---:|")
    for count, runs in ((1, one), (options.processes, many)):
        print(f"| {count} | {_shown([run.cpu for run in runs])} | {_shown([run.wall for run in runs])} |")
    print(f"\nWith cores enough, {options.processes} processes are {gain:.2f} times as fast as one.")
    if options.processes == 2:
        print(f"{'met' if gain >= GOAL else 'MISSED'}: the goal is {GOAL:.2f}")
    return 1 if options.processes == 2 and gain < GOAL else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=2, help="to compare with one (default 2)")
    parser.add_argument("--events", type=int, default=1_500_000, help="predictions to write; outcomes come on top (default 1500000)")
    parser.add_argument("--rounds", type=int, default=4, help="so many runs of each, in turn (default 4)")
    options = parser.parse_args(arguments)
    if options.processes < 2 or options.rounds < 1:
        parser.error("--processes must be 2 at least, and --rounds 1")
    return options


@dataclass(frozen=True, slots=True)
class Run:
    """What a run took, in seconds: of all its processes' CPU, and by the clock."""

    cpu: float
    wall: float


def _rounds(stage: Stage, processes: int, rounds: int) -> tuple[list[Run], list[Run]]:
    """Return the runs as one process, and as many."""
    runs: dict[int, list[Run]] = {1: [], processes: []}
    for number in range(rounds):
        for count, some in runs.items():
            with tempfile.TemporaryDirectory(dir=stage.folder) as folder:
                found = Everything(count).measure(replace(stage, folder=Path(folder)))
            if not found.verdict.correct:
                raise SystemExit(f"the result is wrong: {found.verdict.text()}")
            some.append(Run(found.processor, found.seconds))
            say(f"[{number + 1}/{rounds}] {count} process{'es' if count > 1 else ''}: {some[-1].cpu:.1f} CPU s in {some[-1].wall:.1f} s")
    return runs[1], runs[processes]


def _shown(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"


if __name__ == "__main__":
    sys.exit(main())
