"""How a process of the pipeline uses memory: batches of events come and go, tens of thousands of objects at a time."""

from __future__ import annotations

import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 64 << 20
"""So much memory that was freed is kept for the next commit: to give it back and get it again takes a twentieth of the time."""
_COLLECT_AFTER = (200_000, 20, 20)


def prepare_memory() -> None:
    """Set this process's memory up for batches of events, once all is imported."""
    _share_one_heap()
    # Each batch makes tens of thousands of dicts that hold no cycles; with Python's default of 700 the collector takes a third of the time.
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def _share_one_heap() -> None:
    """Have all threads allocate from one heap: by default each keeps what it freed to itself, a sixth of the process here."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, musl has not
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, 1)
            mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES // 2)
            mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
