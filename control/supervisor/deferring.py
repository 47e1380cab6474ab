"""Hold Ctrl-C and SIGTERM back for the few lines in which a process has been started and nobody knows it yet."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let a SIGINT or SIGTERM of the block take effect at its end.

    Handlers are exchanged, not blocked by a mask, since a child started in the block would inherit the mask. Outside the main
    thread, where Python runs no handlers, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    # Asked beforehand: the old handler of one may raise while that of the other is exchanged.
    before = {int(number): signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for known, handler in before.items():
            signal.signal(known, handler)

    try:
        for number in _SIGNALS:
            signal.signal(number, note)
        yield
    finally:
        try:
            restore()
        finally:
            restore()
        for first in arrived[:1]:
            signal.raise_signal(first)
