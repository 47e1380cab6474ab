"""Small files that are always whole."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(file: Path, content: bytes, *, lasting: bool = False) -> None:
    """Write beside and rename, making the folder: a reader and a killed writer see the old content or the new, never a part.

    With `lasting` it is on the disk before this returns, so that a power cut too leaves the one or the other.
    Raises OSError: the old content stays then, and nothing beside it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with beside.open("wb") as written:
            written.write(content)
            if lasting:
                written.flush()
                os.fsync(written.fileno())
        os.replace(beside, file)
        if lasting:
            sync_folder(file.parent)
    except BaseException:
        if beside.is_file():
            beside.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Return when the disk has what was made, renamed and removed in a folder. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
