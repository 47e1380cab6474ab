"""Locks on files that end with their process, however it ends: `flock`, shared or exclusive.

A lock belongs to the open file, so a process that is killed with -9 releases its locks, and no stale lock exists.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from schemas.errors import TowerError


class FileLock:
    """A lock that is held from its making until `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def try_lock(path: Path, *, shared: bool = False) -> FileLock | None:
    """Return the lock, or None when somebody else's lock is in the way. Makes the file when there is none.

    Raises TowerError when it cannot be made or locked: the first that a command asks of a home is a lock.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_CLOEXEC is Python's default: a child process does not keep our lock alive.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise TowerError(
            f"{path} cannot be made: {error.strerror}", "make its folder writable, or set TOWER_HOME to another one"
        ) from error
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise TowerError(f"{path} cannot be locked: {error.strerror}", "set TOWER_HOME to a folder on a disk of this machine") from error
    return FileLock(descriptor)


def wait_for_lock(path: Path, deadline_s: float, *, shared: bool = False, clock: Callable[[], float] = time.monotonic) -> FileLock | None:
    """Return the lock, or None when `deadline_s` seconds went by without it."""
    end = clock() + deadline_s
    while (lock := try_lock(path, shared=shared)) is None:
        if clock() >= end:
            return None
        time.sleep(0.05)
    return lock


def is_locked(path: Path) -> bool:
    """Say whether somebody holds the lock exclusively at this moment."""
    lock = try_lock(path, shared=True)
    if lock is None:
        return True
    lock.release()
    return False
