"""The raw limits: reading alone, and reading and parsing: the ceiling for a Python process that looks at each event."""

from __future__ import annotations

from benchmarks.throughput.candidate import Program, Reads, Stage, python_module

LOADS, LOADS_BOTH = "loads", "loads-both"


def limits() -> list[Program]:
    """Return the limits: of the predictions, which the simple job reads, and of both topics, which everything reads."""
    return [
        _limit("consume", "consume", Reads.PREDICTIONS, "read"),
        _limit(LOADS, "consume + loads", Reads.PREDICTIONS, "parse"),
        _limit(LOADS_BOTH, "consume + loads, both topics", Reads.BOTH, "parse"),
    ]


def _limit(key: str, name: str, reads: Reads, action: str) -> Program:
    def command(stage: Stage) -> list[str]:
        return python_module("consume", stage.kafka.bootstrap_servers, reads.value, action)

    return Program(key, name, command, reads)
