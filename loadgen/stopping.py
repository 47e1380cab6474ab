"""A run ends cleanly on SIGTERM and Ctrl-C: a flag is set, and the run looks at it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

INTERRUPTED = 130
"""The exit code of what was stopped before it was done, as shells have it for Ctrl-C."""


class Stopped(Exception):
    """What is under way was stopped by a signal."""


@contextlib.contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield a flag that SIGTERM and SIGINT set while the context lasts; outside the main thread nothing sets it."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
