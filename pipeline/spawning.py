"""Starting processes of Python's own, undisturbed by Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess


def start_quietly(processes: Sequence[SpawnProcess]) -> None:
    """Start processes that see to SIGINT themselves, as soon as they can.

    Ctrl-C reaches the whole group: one that is still importing would die of it, loudly. It inherits what is blocked; the tracker that
    the first one brings along would unblock it.
    """
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for process in processes:
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
