"""Running a program as a process of its own, and what it costs: time, processor and memory."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
import psutil

from benchmarks.throughput.job import WindowRow
from schemas.errors import TowerError

SAMPLE_S = 0.1
_LAST_WORDS = 300
_JAVA_CAUSES = ("Caused by:", "Exception in thread")


class Report(msgspec.Struct, frozen=True):
    """What a program says of itself: see `job.report`. Seconds are from its first read to its last result."""

    events: int
    seconds: float
    processor_seconds: float
    late: int | None = None
    cold_seconds: float | None = None
    windows: list[WindowRow] | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost. Times in seconds, memory in bytes: the largest sum of resident memory over the processes of the run."""

    wall: float
    processor: float
    memory: int
    output: str

    def report(self) -> Report:
        """Return what the program reported in the last line that it printed.

        Raises TowerError when there is no such line.
        """
        try:
            return msgspec.json.decode(self.output.splitlines()[-1], type=Report)
        except (IndexError, msgspec.DecodeError) as error:
            raise TowerError(f"the program reported nothing that can be read: {error}") from error


def run(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None, *, root: Path, limit_s: float) -> Cost:
    """Run a command in `root` to its end and return its cost.

    All processes that it starts are ended with it: when it fails, when it takes longer than `limit_s`, and when we are interrupted.
    Raises TowerError with what it printed when it fails or takes too long.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=root,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=end_with_parent(),
        )
        watcher = _Watcher(process.pid, limit_s)
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            watcher.stop()
            _end_group(process)
        wall = time.perf_counter() - start
        if watcher.too_long:
            raise TowerError(f"{name} was ended: it took longer than {limit_s:.0f} s")
        if process.returncode != 0:
            raise TowerError(f"{name} ended with {process.returncode}: {_last_words(errors) or _last_words(output)}")
        output.seek(0)
        memory = max(watcher.peak, usage.ru_maxrss * 1024)
        return Cost(wall, usage.ru_utime + usage.ru_stime, memory, output.read().decode(errors="replace"))


class _Watcher:
    """Keeps the largest resident memory of a process and its descendants, and ends its group when it takes too long."""

    def __init__(self, pid: int, limit_s: float) -> None:
        self.peak = 0
        self.too_long = False
        self._pid = pid
        self._deadline = time.monotonic() + limit_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End watching."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.peak = max(self.peak, _resident(self._pid))
            if time.monotonic() > self._deadline:
                self.too_long = True
                os.killpg(self._pid, signal.SIGKILL)
                return


def _resident(pid: int) -> int:
    """Return the resident memory of a process and its descendants, in bytes."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0  # it has ended since; what is left is counted at the next look
    return total


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what a program has left running: the group was made for it, so nobody else is in it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    if process.returncode is None:
        process.wait()


def end_with_parent() -> Callable[[], object] | None:
    """Return what a child does before it becomes the program: ask Linux for a SIGKILL when we die, even by kill -9."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    return lambda: library.prctl(1, signal.SIGKILL, 0, 0, 0)


def _last_words(file: IO[bytes]) -> str:
    """Return the line that best says why a program ended: of Java's the last cause, else the last one."""
    file.seek(0)
    lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    causes = [line for line in lines if line.startswith(_JAVA_CAUSES)]
    return (causes or lines or [""])[-1][:_LAST_WORDS]
