"""A run of the pipeline to the end of its topics, and what it took; and the end of what an earlier run has left to RocksDB."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.home import Home, stop
from benchmarks.soak.processes import footprint
from schemas.errors import TowerError

_SAMPLE_S = 0.1
_LOOK_S, _QUIET_LOOKS, _QUIET_CORES = 1.0, 3, 0.15
_SETTLED_WITHIN_S = 180.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, CPU seconds, and the largest resident memory in bytes; `anonymous` is the largest of what no file is behind."""

    wall: float
    cpu: float
    rss: int
    anonymous: int


def catch_up(home: Home, log: Path) -> Cost:
    """Run `tower pipeline --until-caught-up`, and return what it took. Raises TowerError when it fails."""
    rss = anonymous = 0
    start = time.perf_counter()
    process = home.start("pipeline", "--until-caught-up", log=log)
    while True:
        found, status, usage = os.wait4(process.pid, os.WNOHANG)
        if found:
            break
        now = footprint(process.pid)
        rss, anonymous = max(rss, now.rss), max(anonymous, now.anonymous)
        time.sleep(_SAMPLE_S)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise TowerError(f"the pipeline ended with {process.returncode}: {log.read_text(errors='replace').strip().splitlines()[-1:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, max(rss, usage.ru_maxrss * 1024), anonymous)


def settle(home: Home, log: Path) -> None:
    """Run `tower pipeline` until it is idle: what RocksDB still had to compact after a flood of writes is done then.

    In a pipeline that runs on, that happens while the flood lasts. Raises TowerError when it does not come to an end.
    """
    process = home.start("pipeline", log=log)
    try:
        quiet, cpu, begun = 0, footprint(process.pid).cpu_s, time.monotonic()
        while quiet < _QUIET_LOOKS:
            time.sleep(_LOOK_S)
            if process.poll() is not None or time.monotonic() - begun > _SETTLED_WITHIN_S:
                raise TowerError(f"the pipeline does not come to rest: {log.read_text(errors='replace').strip().splitlines()[-1:]}")
            before, cpu = cpu, footprint(process.pid).cpu_s
            quiet = quiet + 1 if cpu - before < _QUIET_CORES * _LOOK_S else 0
    finally:
        if process.poll() is None:
            stop(process)
