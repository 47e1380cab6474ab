"""One pipeline a home: two would write over each other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import HomeInUse, TowerError


@contextmanager
def home_lock(home: Path) -> Iterator[None]:
    """Hold the home for this process. Raises HomeInUse when another pipeline has it, TowerError when it cannot be written.

    The kernel lets go of the lock when the process ends, however it ends.
    """
    file = home / "run" / "pipeline.lock"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise TowerError(f"{home} cannot be written: {error.strerror}", "make it writable, or set TOWER_HOME to another folder") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(descriptor, 20).decode() or "unknown"
            raise HomeInUse(f"{home} is in use by another pipeline (process {owner})", "stop it, or set TOWER_HOME") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)
