"""NDJSON: one JSON object a line. Each value keeps the type that its line gives it, and what a line lacks is absent."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import orjson

from loadgen.replay.table import CHUNK_ROWS, Chunk
from loadgen.replay.values import ABSENT, RowError, Value
from schemas.errors import TowerError

SAMPLE_ROWS = 1_000
"""Rows that are looked at to find out which fields there are; others may turn up later."""


class LineTable:
    """A file with one JSON object a line, also compressed with gzip; empty lines are passed over. See `Table`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kinds: dict[str, dict[str, None]] = {}
        rows = 0
        for _, row in itertools.islice(self._rows(), SAMPLE_ROWS):
            rows += 1
            for name, value in row.items():
                kinds.setdefault(name, {})["null" if value is None else type(value).__name__] = None
        self.columns = {name: " or ".join(found) for name, found in kinds.items()}
        if rows == 0:
            raise TowerError(f"{path.name} has no rows", "give a file with at least one row")

    def chunks(self, time_column: str, text_columns: set[str]) -> Iterator[Chunk]:
        """Return the rows; a field that a row lacks is ABSENT there."""
        rows = self._rows()
        while piece := list(itertools.islice(rows, CHUNK_ROWS)):
            names = dict.fromkeys(itertools.chain(self.columns, *(row for _, row in piece)))
            yield Chunk(piece[0][0], len(piece), {name: [row.get(name, ABSENT) for _, row in piece] for name in names})

    def _rows(self) -> Iterator[tuple[int, dict[str, Value]]]:
        number = 0
        try:
            with gzip.open(self._path, "rb") if self._path.name.lower().endswith(".gz") else self._path.open("rb") as lines:
                for line in lines:
                    if stripped := line.strip():
                        number += 1
                        yield number, _parsed(stripped, number)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RowError(f"{self._path.name} breaks off after row {number:,}: {error}", "mend the file") from error


def _parsed(line: bytes, row: int) -> dict[str, Value]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        try:
            value = json.loads(line)  # knows NaN, which many programs write
        except ValueError:
            raise RowError(f"row {row:,}: not JSON: {error}", "each line must be one JSON object") from error
    if not isinstance(value, dict):
        shown = line[:60].decode(errors="replace")
        raise RowError(f"row {row:,}: expected a JSON object, got {shown}", "each line must be one JSON object")
    return value
