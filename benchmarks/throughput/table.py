"""The table of a run, its goals, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.throughput.candidate import Candidate, Measured, Reads
from benchmarks.throughput.candidates.bytewax import BEST_BYTEWAX
from benchmarks.throughput.candidates.flink import FLINK
from benchmarks.throughput.candidates.limits import LOADS, LOADS_BOTH
from benchmarks.throughput.candidates.tower_everything import EVERYTHING
from benchmarks.throughput.candidates.tower_simple import SIMPLE
from benchmarks.throughput.events import Written

_MIB = 1024 * 1024
_MEMORY_GOAL = 1_000_000_000
_HEAD = ("candidate", "events/s", "CPU s", "events per CPU s", "of consume + loads", "peak memory", "correct")
_LIMIT_OF = {Reads.PREDICTIONS: LOADS, Reads.BOTH: LOADS_BOTH}


@dataclass(frozen=True, slots=True)
class Line:
    """A candidate and what came of it; `failure` says why it was not measured."""

    candidate: Candidate
    measured: Measured | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """What ours is to reach: `reached` is a ratio, None when what it is compared with was not measured."""

    text: str
    reached: float | None
    wanted: float


def typical(runs: Sequence[Line]) -> Line:
    """Return what several runs of one candidate come to: medians of the times, the largest memory, the worst that happened."""
    found = [line.measured for line in runs if line.measured is not None]
    if len(found) < len(runs):
        return next(line for line in runs if line.measured is None)
    if len(runs) == 1:
        return runs[0]
    processor = [run.processor for run in found]
    worst = max(found, key=lambda run: (run.verdict.lost, run.verdict.wrong))
    spread = f"{len(runs)} runs, {min(processor):.1f} to {max(processor):.1f} CPU s"
    return replace(
        runs[0],
        measured=replace(
            worst,
            seconds=median(run.seconds for run in found),
            processor=median(processor),
            memory=max(run.memory for run in found),
            notes=(spread, *worst.notes),
        ),
    )


def table(lines: Sequence[Line]) -> str:
    """Return the table as Markdown."""
    limits = _limits(lines)
    rows = [_cells(line, limits) for line in lines]
    head = [" | ".join(_HEAD), "|".join(["---", *["---:"] * 5, "---"])]
    return "\n".join(f"| {row} |" if "---" not in row else f"|{row}|" for row in [*head, *(" | ".join(row) for row in rows)])


def goals(lines: Sequence[Line]) -> list[Goal]:
    """Return how far ours is from what it is to reach, as far as the candidates ran."""
    found = _found(lines)
    rate = {key: measured.rate for key, measured in found.items()}
    efficiency = {key: measured.per_processor_second for key, measured in found.items()}
    per_second, per_cpu = "events/s", "events per CPU s"
    reached = [
        Goal(f"the simple job, {per_second}, of consume + loads", _ratio(rate, SIMPLE, (LOADS,)), 0.45),
        Goal(f"the simple job, {per_cpu}, of the best Flink SQL", _ratio(efficiency, SIMPLE, FLINK), 1.5),
        Goal(f"the simple job, {per_cpu}, of the best Bytewax", _ratio(efficiency, SIMPLE, BEST_BYTEWAX), 2.5),
        Goal(f"everything, {per_second}, of consume + loads of both topics", _ratio(rate, EVERYTHING, (LOADS_BOTH,)), 0.25),
    ]
    if EVERYTHING in found:
        reached.append(Goal("everything, the memory goal over the peak memory", _MEMORY_GOAL / found[EVERYTHING].memory, 1.0))
    return [goal for goal in reached if goal.reached is not None]


def write_json(path: Path, lines: Sequence[Line], written: Written, environment: Mapping[str, object]) -> None:
    """Write all that was measured."""
    limits = _limits(lines)
    found = [
        {"key": line.candidate.key, "name": line.candidate.name, "failure": line.failure or None, **_numbers(line, limits)}
        for line in lines
    ]
    content = {**environment, "written": written.as_dict(), "candidates": found, "goals": [asdict(goal) for goal in goals(lines)]}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _found(lines: Sequence[Line]) -> dict[str, Measured]:
    return {line.candidate.key: line.measured for line in lines if line.measured is not None}


def _limits(lines: Sequence[Line]) -> dict[Reads, float]:
    """Return the rate of consume + loads for what a candidate reads, as far as it was measured."""
    found = _found(lines)
    return {reads: found[key].rate for reads, key in _LIMIT_OF.items() if key in found}


def _ratio(values: Mapping[str, float], ours: str, others: Sequence[str]) -> float | None:
    known = [values[key] for key in others if key in values]
    return values[ours] / max(known) if ours in values and known else None


def _cells(line: Line, limits: Mapping[Reads, float]) -> list[str]:
    found = line.measured
    if found is None:
        return [line.candidate.name, *["-"] * 5, f"not measured: {line.failure}"]
    limit = limits.get(line.candidate.reads)
    return [
        line.candidate.name,
        f"{found.rate:,.0f}",
        f"{found.processor:.1f}",
        f"{found.per_processor_second:,.0f}",
        "-" if limit is None else f"{found.rate / limit:.3f}",
        f"{found.memory / _MIB:,.0f} MiB",
        found.verdict.text(),
    ]


def _numbers(line: Line, limits: Mapping[Reads, float]) -> dict[str, object]:
    found = line.measured
    if found is None:
        return {}
    limit = limits.get(line.candidate.reads)
    return {
        "records": found.records,
        "seconds": found.seconds,
        "events_per_s": found.rate,
        "cpu_seconds": found.processor,
        "events_per_cpu_s": found.per_processor_second,
        "of_consume_and_loads": None if limit is None else found.rate / limit,
        "peak_memory_bytes": found.memory,
        "correct": found.verdict.correct,
        "events_lost": found.verdict.lost,
        "events_late": found.late,
        "wrong": found.verdict.wrong or None,
        "notes": list(found.notes),
    }
