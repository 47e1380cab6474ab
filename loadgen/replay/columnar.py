"""CSV and Parquet, streamed by DuckDB in the order of their rows and in bounded memory.

The types of a CSV are found over the whole file before its first row is read: a column of whole numbers with one decimal
in its last row is decimal from the first. Nothing else about a CSV is guessed: rows that do not fit the header are errors, not skipped.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import duckdb
import pyarrow as pa

from loadgen.replay.table import CHUNK_ROWS, Chunk
from loadgen.replay.values import RowError, Value
from schemas.errors import TowerError

_MEMORY = "256MB"
_DELIMITERS = (",", "\t", ";", "|")
_TIMES = ("DATE", "TIME")
_NUMERIC_TIMES = ("BIGINT", "DOUBLE")
_AS_TEXT = ("DATE", "TIME", "INTERVAL", "UUID", "ENUM")
_AS_DOUBLE = ("DECIMAL", "HUGEINT", "UHUGEINT", "FLOAT")


def connect() -> duckdb.DuckDBPyConnection:
    """Return a database in memory that reads files: one thread keeps the rows in order, and nothing is written to disk."""
    config: dict[str, str | bool | int | float | list[str]]
    config = {"threads": 1, "memory_limit": _MEMORY, "temp_directory": "", "autoinstall_known_extensions": False, "TimeZone": "UTC"}
    connection = duckdb.connect(config=config)
    connection.execute("SET enable_progress_bar = false")  # it would draw on our standard output after two seconds
    return connection


class CsvTable:
    """A CSV file with a header, also compressed with gzip. The delimiter is what the header has most of. See `Table`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect()
        self._delimiter = max(_DELIMITERS, key=_first_line_of(path).count)  # the first of equals: a comma when there is none
        self._options = f"""delim = {_literal(self._delimiter)}, quote = '"', escape = '"', skip = 0, header = true, comment = ''"""
        query = f"SELECT Columns FROM sniff_csv({_literal(str(path))}, sample_size = -1, {self._options})"
        try:
            found = self._connection.sql(query).fetchall()[0][0]
            self.columns: dict[str, str] = {column["name"]: column["type"] for column in found}
            self.columns.update(dict.fromkeys(self._words(), "VARCHAR"))
        except duckdb.Error as error:
            self._explain(error)

    def chunks(self, time_column: str, text_columns: set[str]) -> Iterator[Chunk]:
        """Return the rows. What looks like a date stays text: whether 03/04 is in March is not guessed."""
        kinds = {}
        for name, kind in self.columns.items():
            written = name in text_columns or kind.startswith(_TIMES) or (name == time_column and kind not in _NUMERIC_TIMES)
            kinds[name] = "VARCHAR" if written else "DOUBLE" if kind.startswith(_AS_DOUBLE) else kind
        try:
            yield from stream(self._connection, f"SELECT * FROM {self._read(kinds)}", list(kinds))
        except (duckdb.Error, pa.ArrowException) as error:
            self._explain(error)

    def _read(self, kinds: dict[str, str]) -> str:
        columns = ", ".join(f"{_literal(name)}: {_literal(kind)}" for name, kind in kinds.items())
        return f"read_csv({_literal(str(self._path))}, auto_detect = false, {self._options}, columns = {{{columns}}})"

    def _words(self) -> list[str]:
        """Return the columns that DuckDB takes for true and false, but that say yes and no, or t and f: those are classes of their own."""
        suspects = [name for name, kind in self.columns.items() if kind == "BOOLEAN"]
        if not suspects:
            return []
        only = ", ".join(f"bool_and(lower({_quoted(name)}) IN ('true', 'false'))" for name in suspects)
        found = self._connection.sql(f"SELECT {only} FROM {self._read(dict.fromkeys(self.columns, 'VARCHAR'))}").fetchall()[0]
        return [name for name, plain in zip(suspects, found, strict=True) if plain is False]

    def _explain(self, error: Exception) -> NoReturn:
        """Raise the error that names the first row which does not fit the header, or says what DuckDB says."""
        try:
            with _open_text(self._path) as file:
                reader = csv.reader(file, delimiter=self._delimiter, strict=True)
                width = len(next(reader, []))
                for row, fields in enumerate(reader, start=1):
                    if fields and len(fields) != width:
                        what = (
                            f"{self._path.name}, row {row:,} (line {reader.line_num:,}): {len(fields)} values, but the header has {width}"
                        )
                        raise RowError(what, "mend the row")
        except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as cause:
            raise RowError(f"{self._path.name} cannot be read as CSV: {cause}", "write it as UTF-8, with closed quotes") from error
        raise RowError(f"{self._path.name} cannot be read as CSV: {_first_line(error)}", "mend the file") from error


class ParquetTable:
    """A Parquet file. See `Table`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect()
        self._source = f"read_parquet({_literal(str(path))})"
        try:
            rows = self._connection.sql(f"DESCRIBE SELECT * FROM {self._source}").fetchall()
        except duckdb.Error as error:
            raise TowerError(f"{path.name} cannot be read as Parquet: {_first_line(error)}", "check the file") from error
        self.columns: dict[str, str] = {str(row[0]): str(row[1]) for row in rows}

    def chunks(self, time_column: str, text_columns: set[str]) -> Iterator[Chunk]:
        """Return the rows. Dates and times that are not the event time are text, decimals are floats."""
        columns = ", ".join(f"{self._expression(name, name == time_column)} AS {_quoted(name)}" for name in self.columns)
        try:
            yield from stream(self._connection, f"SELECT {columns} FROM {self._source}", list(self.columns))
        except (duckdb.Error, pa.ArrowException) as error:
            raise RowError(f"{self._path.name} cannot be read: {_first_line(error)}", "check the file") from error

    def _expression(self, name: str, is_time: bool) -> str:
        column, kind = _quoted(name), self.columns[name]
        if is_time and kind.startswith(("TIMESTAMP", "DATE")):
            return f"epoch_ms(CAST({column} AS {'TIMESTAMPTZ' if 'TIME ZONE' in kind else 'TIMESTAMP'}))"
        if kind.startswith(_AS_TEXT):
            return f"CAST({column} AS VARCHAR)"
        return f"CAST({column} AS DOUBLE)" if kind.startswith(_AS_DOUBLE) else column


def stream(connection: duckdb.DuckDBPyConnection, query: str, names: list[str]) -> Iterator[Chunk]:
    """Return the rows of `query` in chunks; its columns are called `names`."""
    row = 1
    for batch in connection.sql(query).to_arrow_reader(CHUNK_ROWS):
        yield Chunk(row, batch.num_rows, {name: python_values(batch.column(index)) for index, name in enumerate(names)})
        row += batch.num_rows


def python_values(array: pa.Array) -> list[Value]:
    """Return an Arrow column as Python values; maps become dicts."""
    if array.null_count == 0 and (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        return list(array.to_numpy().tolist())
    if pa.types.is_map(array.type):
        return [None if value is None else dict(value) for value in array.to_pylist()]
    values: list[Value] = array.to_pylist()
    return values


def _first_line_of(path: Path) -> str:
    with _open_bytes(path) as file:
        return file.readline().decode("utf-8-sig", errors="replace")


def _open_bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def _open_text(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open_bytes(path), encoding="utf-8-sig", newline="")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
