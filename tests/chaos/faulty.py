"""`python -m tests.chaos.faulty ...`: the command line, with a death at a chosen point and a clock that can be set.

The product knows nothing of it: the points are functions of its that are wrapped here, also in the members of a cluster, which
import this module too. `TOWER_CHAOS_DEATH` is `POINT:N:MARK`: SIGKILL at the N-th passage of the point, once for all processes
that share the file MARK. `TOWER_CHAOS_CLOCK` is a file that holds the wall clock's offset in milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.publish.database import MetricsDatabase
from pipeline.publish.lake import LakeExport
from pipeline.publish.publisher import Publisher
from pipeline.publish.topic import AcknowledgedProducer
from pipeline.shard.state import ShardState
from pipeline.store import Store

DEATH, CLOCK = "TOWER_CHAOS_DEATH", "TOWER_CHAOS_CLOCK"
POINTS: dict[str, tuple[type[Any], str, bool]] = {
    "before a store's write": (Store, "write", True),
    "after a store's write": (Store, "write", False),
    "before a shard's commit": (ShardState, "put_meta", True),
    "before the publisher stores an update": (Publisher, "take", True),
    "after the publisher stored an update": (Publisher, "take", False),
    "before messages are produced": (AcknowledgedProducer, "send", True),
    "between the topic and DuckDB": (AcknowledgedProducer, "send", False),
    "after DuckDB's commit": (MetricsDatabase, "_upsert", False),
    "before a Parquet file takes its place": (LakeExport, "_write", True),
    "between two Parquet files": (LakeExport, "_write", False),
}
"""Name -> the class, its method, and whether the death comes before the call or after it."""


def _die_at(point: str, passage: int, mark: Path) -> None:
    owner, name, before = POINTS[point]
    original: Callable[..., Any] = getattr(owner, name)
    passages = count(1)

    def die() -> None:
        if next(passages) >= passage and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        if before:
            die()
        result = original(*arguments, **options)
        if not before:
            die()
        return result

    setattr(owner, name, wrapped)


def _set_clock(file: Path) -> None:
    real = time.time_ns

    def shifted() -> int:
        try:
            return real() + int(file.read_text()) * 1_000_000
        except (OSError, ValueError):  # not there yet, or being written
            return real()

    time.time_ns = shifted


if DEATH in os.environ:
    _point, _passage, _mark = os.environ[DEATH].split(":", 2)
    _die_at(_point, int(_passage), Path(_mark))
if CLOCK in os.environ:
    _set_clock(Path(os.environ[CLOCK]))

if __name__ == "__main__":
    from control.cli import main

    sys.exit(main(sys.argv[1:], os.environ))
