"""Small files that are always whole."""

from __future__ import annotations

import os
from pathlib import Path


def replace_whole(file: Path, content: bytes, *, lasting: bool = False) -> None:
    """Write a file beside and rename it, so that a reader and a killed writer see the old one or the new one.

    With `lasting` it is on the disk before this returns: a power cut leaves the old or the new one too.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".writing")
    with beside.open("wb") as written:
        written.write(content)
        if lasting:
            written.flush()
            os.fsync(written.fileno())
    os.replace(beside, file)
