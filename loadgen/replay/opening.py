"""A file as bytes: unpacked when it is packed, and told apart from others of its name by what it holds."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

_GZIP = b"\x1f\x8b"
_ENDS = 65_536


@dataclass(frozen=True, slots=True)
class OpenFile:
    """`content` is what is read, unpacked. `share` says how much of the file has been read, from 0 to 1."""

    content: io.BufferedIOBase
    raw: BinaryIO
    size: int

    @property
    def share(self) -> float:
        """How much of the file has been read."""
        return min(self.raw.tell() / max(self.size, 1), 1.0)


@contextmanager
def open_file(path: Path) -> Iterator[OpenFile]:
    """Open a file for reading; its first bytes say whether it is packed with gzip, whatever its name says."""
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        content = cast("io.BufferedIOBase", gzip.GzipFile(fileobj=raw) if packed else raw)
        yield OpenFile(content, raw, os.fstat(raw.fileno()).st_size)


def content_digest(path: Path) -> str:
    """Return 12 hexadecimal digits of the SHA-256 of a file's size and its first and last 64 KB."""
    with path.open("rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        digest = hashlib.sha256(b"%d\0" % size)
        digest.update(raw.read(_ENDS))
        raw.seek(max(size - _ENDS, 0))
        digest.update(raw.read(_ENDS))
    return digest.hexdigest()[:12]
