"""NDJSON: one JSON object a line. Each value keeps the type that its line gives it, and what a line lacks is absent."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import orjson

from loadgen.replay.opening import open_file
from loadgen.replay.table import CHUNK_BYTES, CHUNK_ROWS, DECIMAL, FLAG, NOTHING, OBJECT, TEXT, WHOLE, Chunk, Kinds
from loadgen.replay.values import ABSENT, RowError, Value, is_missing
from schemas.errors import TowerError

SAMPLE_ROWS = 1_000
"""Rows that are looked at to find out which fields there are; others may turn up later."""
_KINDS = {int: WHOLE, float: DECIMAL, bool: FLAG, str: TEXT, type(None): NOTHING}


class LineTable:
    """A file with one JSON object a line, also compressed with gzip; empty lines are passed over. See `Table`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kinds: dict[str, dict[str, None]] = {}
        self.examples: dict[str, Value] = {}
        rows = 0
        for _, row, _ in itertools.islice(self._rows(), SAMPLE_ROWS):
            rows += 1
            for name, value in row.items():
                kinds.setdefault(name, {})[_KINDS.get(type(value), OBJECT)] = None
                if not is_missing(value):
                    self.examples.setdefault(name, value)
        self.columns: dict[str, Kinds] = {name: tuple(found) for name, found in kinds.items()}
        if rows == 0:
            raise TowerError(f"{path.name} has no rows", "give a file with at least one row")

    def chunks(self, time_column: str, text_columns: set[str]) -> Iterator[Chunk]:
        """Return the rows; a field that a row lacks is ABSENT there."""
        first, rows, size = 1, list[dict[str, Value]](), 0
        for number, row, length in self._rows():
            rows.append(row)
            size += length
            if len(rows) == CHUNK_ROWS or size >= CHUNK_BYTES:
                yield self._chunk(first, rows)
                first, rows, size = number + 1, [], 0
        if rows:
            yield self._chunk(first, rows)

    def _chunk(self, first: int, rows: list[dict[str, Value]]) -> Chunk:
        names = dict.fromkeys(itertools.chain(self.columns, *rows))
        return Chunk(first, len(rows), {name: [row.get(name, ABSENT) for row in rows] for name in names})

    def _rows(self) -> Iterator[tuple[int, dict[str, Value], int]]:
        """Return the number of each row, what it holds, and its length in bytes."""
        number = 0
        try:
            with open_file(self._path) as file:
                for line in iter(lambda: file.content.readline(CHUNK_BYTES + 1), b""):
                    if len(line) > CHUNK_BYTES:
                        what = f"{self._path.name}, row {number + 1:,}: longer than {CHUNK_BYTES // 1_000_000} MB"
                        raise RowError(what, "write one JSON object a line")
                    stripped = (line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line).strip()
                    if stripped:
                        number += 1
                        yield number, _parsed(stripped, number), len(line)
        except (EOFError, OSError, zlib.error) as error:
            raise RowError(f"{self._path.name} breaks off after row {number:,}: {error}", "mend the file") from error


def _parsed(line: bytes, row: int) -> dict[str, Value]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        value = _parsed_leniently(line, row, error)
    if not isinstance(value, dict):
        shown = line[:60].decode(errors="replace")
        raise RowError(f"row {row:,}: expected a JSON object, got {shown}", "each line must be one JSON object")
    return value


def _parsed_leniently(line: bytes, row: int, error: Exception) -> Value:
    """Return what Python's own parser reads: it knows NaN, which many programs write, but also text that no event can have."""
    try:
        value: Value = json.loads(line)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as cause:
        raise RowError(f"row {row:,}: text with half of a surrogate pair", "write it as UTF-8") from cause
    except RecursionError as cause:
        raise RowError(f"row {row:,}: nested too deeply", "write one flat JSON object a line") from cause
    except ValueError as cause:
        raise RowError(f"row {row:,}: not JSON: {error}", "each line must be one JSON object") from cause
    return value
