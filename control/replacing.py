"""Small files that are replaced in one step: a reader sees the old or the new content, never a part of it."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write beside and rename; makes the folder. Raises OSError: the old content stays then, and nothing beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    except BaseException:
        if beside.is_file():
            beside.unlink()
        raise
