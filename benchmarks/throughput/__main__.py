"""`python -m benchmarks.throughput`: all candidates in turn on the same events, each in processes of its own; prints one table."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from confluent_kafka.admin import AdminClient

from benchmarks.throughput.candidate import Candidate, Stage
from benchmarks.throughput.candidates import all_candidates
from benchmarks.throughput.events import SPAN_MS, Written, write_events
from benchmarks.throughput.expected import expected_windows
from benchmarks.throughput.table import Line, goals, table, typical, write_json
from control.broker import EmbeddedBroker
from schemas.errors import TowerError
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import ensure_topics

_LONGEST_REASON = 160
_START_S = 120
_SLOWEST_PER_S = 4_000
"""A candidate may take its start-up and this rate, then it is ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 when ours is wrong, fails or misses a goal."""
    options = _options(arguments)
    # Else Python ends at once, and Kafka's folder stays.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    candidates = [candidate for candidate in all_candidates(options.processes) if not options.only or candidate.key in options.only]
    with tempfile.TemporaryDirectory(prefix="tower-throughput-") as folder, EmbeddedBroker(Path(folder) / "kafka", report=_say) as kafka:
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=kafka.event_partitions)
        stage = prepare(kafka, Path(folder), options.events, options.seed)
        turns = candidates * options.rounds
        runs = [
            _measured(candidate, stage, number, f"[{number}/{len(turns)}] {candidate.name}") for number, candidate in enumerate(turns, 1)
        ]
        lines = [typical(runs[number :: len(candidates)]) for number in range(len(candidates))]
    print(f"\n{table(lines)}\n")
    for line in lines:
        if line.measured is not None:
            print(f"{line.candidate.name}: {'; '.join(line.measured.notes)}.")
    if options.json is not None:
        environment = {"cores": os.cpu_count(), "python": platform.python_version(), "seed": options.seed, "rounds": options.rounds}
        write_json(options.json, lines, stage.written, environment)
    return _judged(lines)


def prepare(kafka: KafkaSettings, folder: Path, events: int, seed: int) -> Stage:
    """Write the events, work out what must come of them, and return the stage for the candidates."""
    copy = folder / "predictions.ndjson"
    start = time.perf_counter()
    written = write_events(kafka, events, int(time.time() * 1000), seed, copy)
    _say(_described(written, kafka, time.perf_counter() - start))
    expected = expected_windows(copy)
    copy.unlink()
    return Stage(kafka, written, expected, folder, _START_S + events / _SLOWEST_PER_S, _say)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    keys = [candidate.key for candidate in all_candidates()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--events", type=int, default=1_500_000, help="predictions to write; outcomes come on top (default 1500000)")
    parser.add_argument("--only", nargs="+", choices=keys, metavar="CANDIDATE", help=f"which candidates to run: {', '.join(keys)}")
    parser.add_argument("--rounds", type=int, default=1, help="how often all run in turn; the table has the medians (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured there, too")
    parser.add_argument("--seed", type=int, default=1, help="of the events (default 1)")
    parser.add_argument("--processes", type=int, default=1, help="processes of ours with everything on (default 1)")
    return parser.parse_args(arguments)


def _described(written: Written, kafka: KafkaSettings, seconds: float) -> str:
    records = written.predictions + written.outcomes
    return (
        f"{written.predictions} predictions of {written.prediction_bytes / written.predictions:.0f} bytes "
        f"({written.predictions - written.distinct} of them repeated) and {written.outcomes} outcomes, "
        f"{SPAN_MS // 60_000} min of event time, "
        f"{kafka.event_partitions} partitions a topic; written at {records / seconds:,.0f}/s"
    )


def _measured(candidate: Candidate, stage: Stage, number: int, title: str) -> Line:
    _say(f"{title}: running, for at most {stage.limit_s:.0f} s")
    try:
        folder = stage.folder / f"run-{number}"
        folder.mkdir()
        found = candidate.measure(replace(stage, folder=folder))
    except TowerError as error:
        _say(f"{title}: {error}")
        return Line(candidate, failure=error.what.splitlines()[0][:_LONGEST_REASON])
    _say(f"{title}: {found.rate:,.0f} events/s, correct: {found.verdict.text()}")
    return Line(candidate, found)


def _judged(lines: Sequence[Line]) -> int:
    """Print how the goals were met; return the exit code."""
    ok = True
    for goal in goals(lines):
        assert goal.reached is not None
        met = goal.reached >= goal.wanted
        ok &= met
        print(f"{'met' if met else 'MISSED'}: {goal.text}: {goal.reached:.2f}, the goal is {goal.wanted:.2f}")
    for line in lines:
        ours = line.candidate.name.startswith("Control Tower")
        ok &= not ours or (line.measured is not None and line.measured.verdict.correct)
    return 0 if ok else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
