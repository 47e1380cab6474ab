"""`python -m benchmarks.throughput [--events N]`: all candidates in turn, each in its own process; prints a table of what they reach."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from benchmarks.throughput.candidate import Cost, run
from benchmarks.throughput.events import SPAN_MS, Written, write_events
from benchmarks.throughput.tower import check, run_pipeline
from control.broker import EmbeddedBroker
from schemas.errors import TowerError
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import ensure_topics

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
GOALS = {"unordered Bytewax": 1.0, "consume + loads": 0.15}
MEMORY_GOAL = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """A line of the table: `events` in `seconds` from the first read to the last result, and the cost of the whole process."""

    name: str
    events: int
    seconds: float
    cost: Cost

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


def main() -> int:
    """Measure, print, and return 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--events", type=int, default=1_500_000, help="records in both topics together (default 1500000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="processes of our pipeline (default 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tower-throughput-") as folder, EmbeddedBroker(Path(folder) / "kafka", report=print) as kafka:
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=kafka.event_partitions)
        start = time.perf_counter()
        written = write_events(kafka, options.events, int(time.time() * 1000), options.seed)
        print(
            f"{written.events} events ({written.predictions} predictions, {written.predictions - written.distinct} of them repeated; "
            f"{written.outcomes} outcomes), {written.bytes / written.events:.0f} bytes each, {SPAN_MS // 60_000} min of event time, "
            f"{kafka.event_partitions} partitions a topic; written at {written.events / (time.perf_counter() - start):.0f}/s\n"
        )
        try:
            return _report(_measure(Path(folder) / "home", kafka, written, options.processes), written)
        except TowerError as error:
            print(error, file=sys.stderr)
            return error.exit_code


def _measure(home: Path, kafka: KafkaSettings, written: Written, processes: int) -> list[Measured]:
    """Run the candidates; the last one is ours. Bytewax reads the predictions alone: its windows have no use for outcomes."""
    lines = []
    module = "benchmarks.throughput."
    for name, arguments, events in (
        ("consume + loads", ["consume", str(written.events)], written.events),
        ("unordered Bytewax", ["bytewax_windows", str(written.predictions), "unordered"], written.predictions),
        ("ordered Bytewax", ["bytewax_windows", str(written.predictions), "ordered"], written.predictions),
    ):
        cost = run(name, [sys.executable, "-m", module + arguments[0], kafka.bootstrap_servers, *arguments[1:]], root=ROOT)
        report = cost.report()
        lines.append(Measured(name, events, report["seconds"], cost))
        if report.get("late"):
            print(f"{name} dropped {report['late']:.0f} events as late")
    whole = run_pipeline(home, kafka, ROOT, ["--processes", str(processes)] if processes > 1 else [])
    check(home, written)
    lines.append(Measured("Control Tower", written.events, whole.working_s, whole.busy))
    print(
        f"Control Tower published {whole.published} metrics messages; start-up and shutdown alone take {whole.idle.wall:.2f} s, "
        f"its whole process took {whole.busy.wall:.2f} s ({written.events / whole.busy.wall:.0f} events/s)\n"
    )
    return lines


def _report(lines: list[Measured], written: Written) -> int:
    rates = {line.name: line.rate for line in lines}
    print("| candidate | events/s | of consume + loads | of unordered Bytewax | CPU s | events per CPU s | peak memory |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for line in lines:
        print(
            f"| {line.name} | {line.rate:,.0f} | {line.rate / rates['consume + loads']:.3f} | {line.rate / rates['unordered Bytewax']:.2f} "
            f"| {line.cost.processor:.1f} | {line.events / line.cost.processor:,.0f} | {line.cost.memory / MIB:,.0f} MiB |"
        )
    ours = lines[-1]
    predictions = written.predictions / ours.seconds
    print(
        f"\nCounting predictions alone, as Bytewax does, ours are {predictions:,.0f}/s: "
        f"{predictions / rates['unordered Bytewax']:.2f} of unordered Bytewax."
    )
    missed = [
        f"{ours.rate / rates[name]:.3f} of {name}, the goal is {goal}" for name, goal in GOALS.items() if ours.rate < goal * rates[name]
    ]
    if ours.cost.memory >= MEMORY_GOAL:
        missed.append(f"{ours.cost.memory / 1e6:.0f} MB of memory, the goal is below {MEMORY_GOAL / 1e6:.0f}")
    print("All goals are met." if not missed else "Missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
