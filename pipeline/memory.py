"""How a process of the pipeline uses memory: batches of events come and go, tens of thousands of objects at a time."""

from __future__ import annotations

import ctypes
import gc
import os
import sys

_KEPT_BYTES = 64 << 20
"""So much memory that was freed is kept for the next commit: to give it back and get it again takes a twentieth of the time."""
_MALLOC = {"arena_max": (-8, 1), "mmap_threshold": (-3, _KEPT_BYTES // 2), "trim_threshold": (-1, _KEPT_BYTES)}
"""Of glibc: the tunable, its number for `mallopt`, and the value."""
_COLLECT_AFTER = (200_000, 20, 20)


def share_one_heap() -> None:
    """Have all threads allocate from one heap: by default each keeps what it freed to itself, a sixth of the process here.

    It holds for this process and those that it starts. To be called before anything is imported that has threads: a heap that one of
    them has made is used for ever.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, musl has not
        if mallopt is not None:
            for number, value in _MALLOC.values():
                mallopt(number, value)
        ours = [f"glibc.malloc.{name}={value}" for name, (_, value) in _MALLOC.items()]
        before = os.environ.get("GLIBC_TUNABLES")
        os.environ["GLIBC_TUNABLES"] = ":".join([*ours, before] if before else ours)  # the last of one name holds: what was set stays


def collect_seldom() -> None:
    """Have Python look for cycles seldom, once all is imported."""
    # Each batch makes tens of thousands of dicts that hold no cycles; with Python's default of 700 the collector takes a third of the time.
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
