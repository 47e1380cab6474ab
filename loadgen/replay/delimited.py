"""CSV, streamed by PyArrow as text in blocks of bounded size, and read twice.

The types of the columns are found over the whole file before its first row is sent: a column of whole numbers with one decimal in its
last row is decimal from the first. Nothing else is guessed: rows that do not fit the header are errors, not skipped.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from loadgen.replay.opening import OpenFile, open_file
from loadgen.replay.table import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    DECIMAL,
    FLAG,
    NOTHING,
    TEXT,
    WHOLE,
    Chunk,
    Kinds,
    Watch,
    distinct_names,
    nobody_watches,
)
from loadgen.replay.values import RowError, Value
from loadgen.stopping import Stopped
from schemas.errors import TowerError

_DELIMITERS = (",", "\t", ";", "|")
_HEADER_BYTES = 1_000_000
_END = "\x1e the end of the table \x1e"
"""The first field of a row of our own after the last one. Where it is not found, a quote was open at the end of the file."""

_NO_NUMBER = r"(?i:[+-]?(?:nan|inf|infinity))"
_PATTERNS = (
    (NOTHING, r"^\s*$"),
    (WHOLE, rf"^\s*(?:[+-]?[0-9]+|{_NO_NUMBER})?\s*$"),
    (DECIMAL, rf"^\s*(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|{_NO_NUMBER})?\s*$"),
    (FLAG, r"^\s*(?i:true|false)?\s*$"),
)
"""What a column may be, from narrow to wide, and what all of its values then look like; text is all else. NaN is a missing number."""
_AFTER = {NOTHING: (0, 1, 2, 3), WHOLE: (1, 2), DECIMAL: (2,), FLAG: (3,), TEXT: ()}
"""Which of the patterns a column can still fit, by what it has been so far."""


class CsvTable:
    """A CSV file with a header, also compressed with gzip. See `Table`.

    The delimiter is what the header has most of outside of quotes, and a tab in a `.tsv`. `watch` is called as the types are found.
    """

    def __init__(self, path: Path, watch: Watch = nobody_watches) -> None:
        self._path = path
        name = path.name.lower().removesuffix(".gz")
        try:
            header = _header_of(path)
        except UnicodeDecodeError as error:
            raise RowError(f"{path.name}: the header is not UTF-8", "write it as UTF-8") from error
        except (EOFError, OSError, zlib.error) as error:
            raise RowError(f"{path.name} cannot be unpacked: {error}", "pack it again") from error
        if not header:
            raise TowerError(f"{path.name} is empty", "give a file with a header and at least one row")
        self._delimiter = "\t" if name.endswith(".tsv") else max(_DELIMITERS, key=_outside_quotes(header).count)
        self._names: list[str] = []
        self.examples: dict[str, Value] = {}
        kinds: list[str] = []
        for _, columns in self._blocks(watch):
            kinds = kinds or [NOTHING] * len(columns)
            kinds = [_widened(kind, column) for kind, column in zip(kinds, columns, strict=True)]
            for name, kind, column in zip(self._names, kinds, columns, strict=True):
                if name not in self.examples and kind != NOTHING:
                    first = next(value for value in column.to_pylist() if value and not value.isspace())
                    self.examples[name] = _READERS[kind](first)
        self.columns: dict[str, Kinds] = {
            name: (kind,) for name, kind in zip(self._names, kinds or [NOTHING] * len(self._names), strict=True)
        }

    def chunks(self, time_column: str, text_columns: set[str]) -> Iterator[Chunk]:
        """Return the rows. What looks like a date stays text: whether 03/04 is in March is not guessed."""
        readers = [_read_text if name in text_columns else _READERS[kind] for name, (kind,) in self.columns.items()]
        for first_row, columns in self._blocks(nobody_watches):
            for start in range(0, len(columns[0]), CHUNK_ROWS):
                pieces = [column.slice(start, CHUNK_ROWS) for column in columns]
                values = {
                    name: [read(text) for text in piece.to_pylist()] for name, read, piece in zip(self._names, readers, pieces, strict=True)
                }
                yield Chunk(first_row + start, len(pieces[0]), values)

    def _blocks(self, watch: Watch) -> Iterator[tuple[int, list[pa.StringArray]]]:
        """Return the columns of some rows after the header at a time, as text, with the number of the first row."""
        row = 0
        wrong: list[pa_csv.InvalidRow] = []
        try:
            with open_file(self._path) as file:
                held: pa.RecordBatch | None = None
                for batch in self._batches(file, wrong):
                    watch(file.share)
                    if held is None:
                        names = [column[0].as_py().decode(errors="replace") for column in batch.columns]
                        self._names = distinct_names([name.removeprefix("\ufeff") for name in names])
                        held = batch.slice(1)
                        continue
                    if held.num_rows:
                        yield row + 1, self._as_text(held, row)
                    row, held = row + held.num_rows, batch
                if held is None:
                    raise TowerError(f"{self._path.name} is empty", "give a file with a header and at least one row")
                if held.num_rows == 0 or held.column(0)[held.num_rows - 1].as_py() != _END.encode():
                    raise RowError(f"{self._path.name}, row {row + held.num_rows:,}: a quote is not closed", "close the quote")
                if held.num_rows > 1:
                    yield row + 1, self._as_text(held.slice(0, held.num_rows - 1), row)
        except pa.ArrowCancelled as error:
            raise Stopped from error  # PyArrow takes signals for itself while it opens a file
        except (pa.ArrowException, EOFError, OSError, zlib.error) as error:
            raise self._explained(error, wrong[0] if wrong else None, row) from error

    def _batches(self, file: OpenFile, wrong: list[pa_csv.InvalidRow]) -> Iterator[pa.RecordBatch]:
        """Return all rows as they lie in the file: columns of bytes, the header first and the row that marks the end last."""

        def note(row: pa_csv.InvalidRow) -> str:
            wrong.append(row)
            return "error"

        parsing = pa_csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=note)
        reading = pa_csv.ReadOptions(use_threads=False, block_size=CHUNK_BYTES, autogenerate_column_names=True)
        with open_file(self._path) as once, pa_csv.open_csv(once.content, reading, parsing) as first:
            names = first.schema.names
        converting = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary()))
        end = f"\n{_END}{self._delimiter * (len(names) - 1)}\n".encode()
        with pa_csv.open_csv(_Ended(file.content, end), reading, parsing, converting) as batches:
            yield from batches

    def _as_text(self, batch: pa.RecordBatch, rows_before: int) -> list[pa.StringArray]:
        try:
            return [column.cast(pa.string()) for column in batch.columns]
        except pa.ArrowInvalid:
            for name, column in zip(self._names, batch.columns, strict=True):
                for row, value in enumerate(column.to_pylist(), start=rows_before + 1):
                    try:
                        value.decode()
                    except UnicodeDecodeError as error:
                        what = f"{self._path.name}, row {row:,}, column {name}: not UTF-8"
                        raise RowError(what, "write it as UTF-8, with closed quotes") from error
            raise

    def _explained(self, error: Exception, wrong: pa_csv.InvalidRow | None, row: int) -> RowError:
        """Return the error that names the row which does not fit, or says what the reader says."""
        name = self._path.name
        if wrong is not None and _END in wrong.text:
            return RowError(f"{name}, row {wrong.number - 1:,}: a quote is not closed", "close the quote")
        if wrong is not None:
            what = f"{name}, row {wrong.number - 1:,}: {wrong.actual_columns:,} values, but the header has {wrong.expected_columns:,}"
            return RowError(what, "mend the row")
        if "straddl" in str(error):
            what = f"{name}: a row after row {row:,} is longer than {CHUNK_BYTES // 1_000_000} MB"
            return RowError(what, "close the quote that is open there, or leave the long column out of the file")
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return RowError(f"{name} cannot be read as CSV after row {row:,}: {said}", "mend the file")


class _Ended(io.RawIOBase):
    """A file followed by `end`."""

    def __init__(self, file: io.BufferedIOBase, end: bytes) -> None:
        self._file = file
        self._end = end

    def readable(self) -> bool:
        """Return true."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, none at the end."""
        piece = self._file.read(size)
        if not piece:
            piece, self._end = self._end, b""
        return piece


def _widened(kind: str, column: pa.StringArray) -> str:
    """Return what a column is that was `kind` so far and goes on with these values."""
    for place in _AFTER[kind]:
        wider, pattern = _PATTERNS[place]
        if pc.all(pc.match_substring_regex(column, pattern)).as_py() is not False:
            return wider
    return TEXT


def _read_text(text: str) -> Value:
    return text or None


def _read_whole(text: str) -> Value:
    if not text or text.isspace():
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)  # NaN and infinity


def _read_decimal(text: str) -> Value:
    return float(text) if text and not text.isspace() else None


def _read_flag(text: str) -> Value:
    return text.strip().lower() == "true" if text and not text.isspace() else None


_READERS: dict[str, Callable[[str], Value]] = {
    NOTHING: _read_text,
    WHOLE: _read_whole,
    DECIMAL: _read_decimal,
    FLAG: _read_flag,
    TEXT: _read_text,
}


def _header_of(path: Path) -> str:
    """Return the first line that is not blank, at most a megabyte of it; empty when there is none."""
    with open_file(path) as file:
        for line in iter(lambda: file.content.readline(_HEADER_BYTES), b""):
            if stripped := line.decode("utf-8-sig").strip("\r\n"):
                return stripped.splitlines()[0]
    return ""


def _outside_quotes(header: str) -> str:
    return "".join(header.split('"')[::2])
