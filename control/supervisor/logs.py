"""Log files of the parts: each process writes its own by itself, so that a killed supervisor breaks no pipe."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

LARGEST_LOG_BYTES = 10_000_000


def open_log(path: Path) -> BinaryIO:
    """Open a part's log to be appended to, after putting an older run's aside as `NAME.log.1`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > 0:
        os.replace(path, path.with_name(path.name + ".1"))
    return path.open("ab")


def bound_log(path: Path, limit: int = LARGEST_LOG_BYTES) -> None:
    """Copy a log that has grown too large aside and empty it; its process writes on, since it appends."""
    if path.exists() and path.stat().st_size > limit:
        with suppress(OSError):  # no room for the copy: the log is emptied all the more
            shutil.copyfile(path, path.with_name(path.name + ".1"))
        os.truncate(path, 0)


def last_line(path: Path) -> str:
    """Return the last line of a log that is not empty, or no text."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8192))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


class LogFollower:
    """Returns the complete lines that were added to a log since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._incomplete = b""

    def new_lines(self) -> list[str]:
        """Return the new lines; a log that was emptied is read from its beginning."""
        if not self._path.exists():
            return []
        size = self._path.stat().st_size
        if size < self._position:
            self._position, self._incomplete = 0, b""
        if size == self._position:
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            added = file.read(size - self._position)
        self._position += len(added)
        *lines, self._incomplete = (self._incomplete + added).split(b"\n")
        # A line of progress rewrites itself with carriage returns: the last state is what counts.
        return [line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2] for line in lines]
