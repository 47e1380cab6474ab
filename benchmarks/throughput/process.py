"""Running a candidate as a process of its own, and what it costs: time, processor and memory."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from schemas.errors import TowerError

SAMPLE_S = 0.1


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost. Times in seconds, memory in bytes: the largest sum over the processes of the run."""

    wall: float
    processor: float
    memory: int
    output: str

    def report(self) -> dict[str, float]:
        """Return the JSON object that the candidate printed."""
        found: dict[str, float] = json.loads(self.output)
        return found


def run(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None, *, root: Path) -> Cost:
    """Run a command in `root` to its end and return its cost.

    Raises TowerError with what it printed when it fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    ended = threading.Event()
    peaks = [0]
    watcher = threading.Thread(target=_watch, args=(process.pid, ended, peaks))
    watcher.start()
    output, errors = bytearray(), bytearray()
    drains = [threading.Thread(target=_drain, args=pair) for pair in ((process.stdout, output), (process.stderr, errors))]
    for drain in drains:
        drain.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    ended.set()
    for thread in (watcher, *drains):
        thread.join()
    if process.returncode != 0:
        raise TowerError(f"{name} ended with {process.returncode}: {(output + errors)[-2000:].decode(errors='replace')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, max(peaks[0], usage.ru_maxrss * 1024), output.decode())


def _drain(pipe: object, into: bytearray) -> None:
    """Take what a process prints, so that it never waits for a reader."""
    assert hasattr(pipe, "read")
    into += pipe.read()
    assert hasattr(pipe, "close")
    pipe.close()


def _watch(pid: int, ended: threading.Event, peaks: list[int]) -> None:
    """Keep the largest resident memory of a process and its descendants."""
    while not ended.wait(SAMPLE_S):
        total = 0
        try:
            root = psutil.Process(pid)
            for process in (root, *root.children(recursive=True)):
                total += process.memory_info().rss
        except psutil.NoSuchProcess:
            # It has ended since; what is left is counted at the next look.
            continue
        peaks[0] = max(peaks[0], total)
