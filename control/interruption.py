"""Ctrl-C and SIGTERM of one command: an exception once, and a flag, since an exception can get lost."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

_STOP_TAKES_S = 60.0


class Interruption:
    """Whether this command is to stop.

    The first signal raises KeyboardInterrupt in the main thread, wherever that is. Where it is cannot be chosen: Python drops an
    exception that comes in a destructor, and libraries replace it by their own. So whatever runs on asks `check` now and then.
    Further signals do nothing for a minute: they would end the stop that is under way, and leave processes behind.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._came: float | None = None

    @property
    def came(self) -> bool:
        """Say whether a signal has come."""
        return self._came is not None

    def listen(self) -> None:
        """Take SIGINT and SIGTERM from now on; a SIGINT that this process was started to ignore stays ignored."""
        signal.signal(signal.SIGTERM, self.note)
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self.note)

    def note(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt at the first signal, and again at one that comes a minute later."""
        now = self._clock()
        if self._came is None or now - self._came > _STOP_TAKES_S:
            self._came = now
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt when a signal has come, at whatever moment."""
        if self.came:
            raise KeyboardInterrupt
