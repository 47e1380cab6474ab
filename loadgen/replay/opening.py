"""A file as bytes: unpacked when it is packed, and told apart from others of its name by what it holds."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20


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
    """Return 12 hexadecimal digits of the SHA-256 of a file's content as far as it can be read.

    It is unpacked: the same however it was packed, and another after any change.
    """
    digest = hashlib.sha256()
    with open_file(path) as file, suppress(EOFError, OSError, zlib.error):  # whoever reads the rows says which one is broken
        while piece := file.content.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()[:12]
