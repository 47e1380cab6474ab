"""Ours, doing the simple job: the product's source, decoding, columns and cells, without the join, the stores and the publisher."""

from __future__ import annotations

from benchmarks.throughput.candidate import Program, Stage, python_module

SIMPLE = "simple"


def tower_simple() -> Program:
    """Return it."""

    def command(stage: Stage) -> list[str]:
        return python_module("tower_windows", stage.kafka.bootstrap_servers)

    return Program(SIMPLE, "Control Tower, the simple job", command)
