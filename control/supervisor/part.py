"""One part of a running tower: its process, its log, and when it may start again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from control.lifeline import VARIABLE
from control.supervisor.deferring import interrupts_deferred
from control.supervisor.logs import last_line, open_log

_HEALTHY_AFTER_S = 30.0
_LONGEST_BACKOFF_S = 30.0


@dataclass(frozen=True, slots=True)
class PartSpec:
    """What a part is: its name for people and logs, and the arguments after `python -m control`.

    `repeats` says that it starts again when it ends; one that does not has done its work when it exits with 0.
    """

    name: str
    arguments: tuple[str, ...]
    repeats: bool = True


class Part:
    """A part's process. All times are of `time.monotonic`."""

    def __init__(self, spec: PartSpec, log: Path, root: Path, environment: Mapping[str, str]) -> None:
        self.spec = spec
        self.log = log
        self._root = root
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._started = 0.0
        self._failures = 0
        self._may_start = 0.0
        self.was_healthy = False

    def start(self) -> None:
        """Start the process in a group of its own: a Ctrl-C in the terminal reaches the supervisor alone."""
        with interrupts_deferred():
            reader, self._lifeline = os.pipe()
            try:
                with open_log(self.log) as log:
                    self._process = subprocess.Popen(
                        [sys.executable, "-P", "-m", "control", *self.spec.arguments],
                        env={**self._environment, "PYTHONPATH": str(self._root), "PYTHONUNBUFFERED": "1", VARIABLE: str(reader)},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        pass_fds=(reader,),
                        process_group=0,
                    )
            finally:
                os.close(reader)
        self._started = time.monotonic()

    @property
    def pid(self) -> int:
        """The process id; 0 when there is no process."""
        return self._process.pid if self._process else 0

    def exit_code(self) -> int | None:
        """Return the exit code of a process that has ended since the last start, else None."""
        return self._process.poll() if self._process else None

    def note_end(self) -> float:
        """Forget the ended process and return after how many seconds it may start again: longer after each quick failure."""
        self._end_group()
        self._release()
        now = time.monotonic()
        if now - self._started >= _HEALTHY_AFTER_S:
            self.was_healthy = True
            self._failures = 0
        self._failures += 1
        delay = min(0.5 * 2.0**self._failures, _LONGEST_BACKOFF_S)
        self._may_start = now + delay
        return delay

    @property
    def failures(self) -> int:
        """How often it has ended in a row without a healthy time between."""
        return self._failures

    def due(self) -> bool:
        """Say whether it has ended and its waiting time is over."""
        return self._process is None and time.monotonic() >= self._may_start

    def last_words(self) -> str:
        """Return the last line of its log."""
        return last_line(self.log)

    def ask_to_stop(self) -> None:
        """Send SIGTERM, when it runs."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, and say whether it came in time."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """End what is left of it by force, its own children too."""
        self._end_group()
        if self._process:
            self._process.wait()
        self._release()

    def _end_group(self) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _release(self) -> None:
        self._process = None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
