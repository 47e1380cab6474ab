"""What a candidate is, and what becomes of it."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.throughput.events import Written
from benchmarks.throughput.expected import Expected
from benchmarks.throughput.process import Cost, Report, run
from benchmarks.throughput.verdict import Verdict, verdict
from schemas.errors import TowerError
from schemas.kafka import KafkaSettings

ROOT = Path(__file__).resolve().parents[2]


class Reads(enum.Enum):
    """Which topics a candidate reads, and so which of its records are counted."""

    PREDICTIONS = "predictions"
    BOTH = "both"

    def records(self, written: Written) -> int:
        """Return how many records that is."""
        return written.predictions if self is Reads.PREDICTIONS else written.predictions + written.outcomes


class Unavailable(TowerError):
    """A peer that cannot be installed here: it is left out of the table."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What candidates run on. `folder` is theirs to write to and goes at the end; a run may take `limit_s` seconds."""

    kafka: KafkaSettings
    written: Written
    expected: Expected
    folder: Path
    limit_s: float
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a candidate reached: `records` in `seconds` from the first read to the last result.

    `processor` are the CPU seconds of all its processes in that stretch; `memory` is their largest resident memory in bytes;
    `late` are the events that it says it dropped as late, None when it does not say.
    """

    records: int
    seconds: float
    processor: float
    memory: int
    verdict: Verdict
    late: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds

    @property
    def per_processor_second(self) -> float:
        """Records per CPU second."""
        return self.records / self.processor


class Candidate(Protocol):
    """One line of the table: `key` is what `--only` takes, `name` what the table shows."""

    @property
    def key(self) -> str:
        """Its name on the command line."""

    @property
    def name(self) -> str:
        """Its name in the table."""

    @property
    def reads(self) -> Reads:
        """What it reads."""

    def measure(self, stage: Stage) -> Measured:
        """Run it once. Raises Unavailable when it cannot be installed, TowerError when it fails."""


@dataclass(frozen=True, slots=True)
class Program:
    """A candidate that is one program, which prints a report.

    `command` returns its command line, after installing what it needs. `interpolated` says that its p99 lies between two ranks.
    """

    key: str
    name: str
    command: Callable[[Stage], Sequence[str]]
    reads: Reads = Reads.PREDICTIONS
    interpolated: bool = False

    def measure(self, stage: Stage) -> Measured:
        """Run the program, and check what it reports."""
        cost = run(self.name, self.command(stage), root=ROOT, limit_s=stage.limit_s)
        found = cost.report()
        return Measured(
            self.reads.records(stage.written),
            found.seconds,
            found.processor_seconds,
            cost.memory,
            self._verdict(found, stage),
            found.late,
            _notes(found, cost),
        )

    def _verdict(self, found: Report, stage: Stage) -> Verdict:
        if found.windows is not None:
            return verdict(stage.expected.deliveries, found.windows, interpolated=self.interpolated)
        return Verdict(self.reads.records(stage.written) - found.events)


def python_module(name: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Return the command that runs one of our modules of `programs` in a Python, by default this one."""
    return [python, "-m", "benchmarks.throughput.programs", name, *arguments]


def _notes(found: Report, cost: Cost) -> tuple[str, ...]:
    notes = [f"{cost.wall:.1f} s and {cost.processor:.1f} CPU s with start-up and all"]
    if found.cold_seconds is not None:
        notes.append(f"the first run in that process took {found.cold_seconds:.1f} s")
    if found.late:
        notes.append(f"{found.late} events dropped as late")
    return tuple(notes)
