"""What a command tells its user: lines with the time gone by, and one line of progress that is overwritten on a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TextIO


class Console:
    """Writes steps to `out`. Safe to use from several threads.

    What cannot be written is left out: a stop that says so must go on, and a full disk ends no pipeline. `reader_left` says that
    `out` is a pipe and nobody reads it any more (`tower demo | head`).
    """

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._start = clock()
        self._mutex = threading.Lock()
        self._open_progress = False
        self._last_progress = float("-inf")
        self.reader_left = False

    def line(self, text: str) -> None:
        """Write one line, after the seconds since the start."""
        with self._mutex:
            self._end_progress()
            self._write(f"[{self._clock() - self._start:6.1f} s] {text}\n")

    def plain(self, text: str) -> None:
        """Write one line as it is: what a part says."""
        with self._mutex:
            self._end_progress()
            self._write(f"{text}\n")

    def progress(self, text: str) -> None:
        """Show how far something is: in place on a terminal, and as a line every ten seconds elsewhere."""
        with self._mutex:
            now = self._clock()
            if self._out.isatty():
                self._write(f"\r\x1b[K[{now - self._start:6.1f} s] {text}")
                self._open_progress = True
            elif now - self._last_progress >= 10.0:
                self._last_progress = now
                self._write(f"[{now - self._start:6.1f} s] {text}\n")

    def _end_progress(self) -> None:
        if self._open_progress:
            self._write("\r\x1b[K")
            self._open_progress = False

    def _write(self, text: str) -> None:
        encoding = self._out.encoding or "utf-8"
        try:
            self._out.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._out.flush()
        except BrokenPipeError:
            self.reader_left = True
        except OSError:
            # A full disk, or a terminal that was closed: the next line is tried again.
            return
