"""Idiomatic Bytewax: its own Kafka source and windows; by default, without ordering, and as two processes.

Each process's clock moves on with the events that its own partitions bring. With two of them on a backlog, what the other one
sends can be older than the patience: such events are lost as late, and the table says how many.
"""

from __future__ import annotations

from benchmarks.throughput.candidate import Program, Stage, python_module

BEST_BYTEWAX = ("bytewax-ordered", "bytewax-unordered", "bytewax-2")


def bytewax() -> list[Program]:
    """Return the three of them."""
    return [
        _bytewax("bytewax-ordered", "Bytewax, default (ordered)", "ordered", 1),
        _bytewax("bytewax-unordered", "Bytewax, ordered=False", "unordered", 1),
        _bytewax("bytewax-2", "Bytewax, ordered=False, 2 processes", "unordered", 2),
    ]


def _bytewax(key: str, name: str, order: str, processes: int) -> Program:
    def command(stage: Stage) -> list[str]:
        return python_module("bytewax_windows", stage.kafka.bootstrap_servers, order, str(processes))

    return Program(key, name, command)
