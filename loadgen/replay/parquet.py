"""Parquet, streamed by PyArrow a few pages at a time: memory grows with the width of a row, not with row groups or the file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from loadgen.replay.table import CHUNK_BYTES, CHUNK_ROWS, DECIMAL, FLAG, NOTHING, OBJECT, TEXT, TIME, WHOLE, Chunk, Kinds, distinct_names
from loadgen.replay.values import RowError, Value, is_missing
from schemas.errors import TowerError

_STREAM_BYTES = 65_536
"""Columns are read so many bytes at a time: else each column of a row group is held as a whole, which may be all of the file."""
_BYTES_A_VALUE = 16
"""The least that a value is taken to need: runs of equal ones are stored in next to nothing."""
_SAMPLE_ROWS = 100


class ParquetTable:
    """A Parquet file. See `Table`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._dictionaries = _small_texts(pq.read_metadata(path))
            with self._open() as file:
                schema = file.schema_arrow
                self._names = distinct_names([_printable(name) for name in schema.names])
                self.columns: dict[str, Kinds] = {
                    name: (_kind(kind),) for name, kind in zip(self._names, (field.type for field in schema), strict=True)
                }
                first = next(file.iter_batches(_SAMPLE_ROWS, use_threads=False), None)
                self.examples: dict[str, Value] = {}
                for name, column in zip(self._names, first.columns if first is not None else (), strict=False):
                    known = [value for value in values_of(column) if not is_missing(value)]
                    self.examples.update({name: known[0]} if known else {})
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise TowerError(f"{path.name} cannot be read as Parquet: {_first_line(error)}", "check the file") from error

    def _open(self) -> pq.ParquetFile:
        return pq.ParquetFile(self._path, pre_buffer=False, buffer_size=_STREAM_BYTES, read_dictionary=self._dictionaries)

    def chunks(self, time_column: str, text_columns: set[str]) -> Iterator[Chunk]:
        """Return the rows. Dates and times that are not the event time are ISO 8601 text; decimals without places are whole numbers."""
        row = 1
        try:
            with self._open() as file:
                for batch in file.iter_batches(_rows_at_once(file.metadata), use_threads=False):
                    columns: dict[str, list[Value]] = {}
                    for name, array in zip(self._names, batch.columns, strict=True):
                        read = times_of if name == time_column else texts_of if name in text_columns else values_of
                        columns[name] = read(array)
                    yield Chunk(row, batch.num_rows, columns)
                    row += batch.num_rows
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise RowError(f"{self._path.name} cannot be read after row {row - 1:,}: {_first_line(error)}", "check the file") from error


def values_of(array: pa.Array) -> list[Value]:
    """Return an Arrow column as values of events; maps become dicts."""
    if array.null_count == 0 and (pa.types.is_integer(array.type) or pa.types.is_float32(array.type) or pa.types.is_float64(array.type)):
        return list(array.to_numpy().tolist())
    if pa.types.is_dictionary(array.type):
        words = values_of(array.dictionary)
        return [None if code is None else words[code] for code in array.indices.to_pylist()]
    values = array.cast(_readable(array.type), safe=False).to_pylist()
    simple = pa.types.is_string(array.type) or pa.types.is_boolean(array.type) or pa.types.is_integer(array.type)
    return values if simple else [_plain(value, array.type) for value in values]


def texts_of(array: pa.Array) -> list[Value]:
    """Return an Arrow column as text, decimals with their places."""
    if pa.types.is_decimal(array.type):
        return [None if value is None else format(value, "f") for value in array.to_pylist()]
    return values_of(array)


def times_of(array: pa.Array) -> list[Value]:
    """Return timestamps and dates as milliseconds since the epoch, other columns as they are."""
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("ms"))
    if not pa.types.is_timestamp(array.type):
        return values_of(array)
    return list(array.cast(pa.timestamp("ms", array.type.tz), safe=False).cast(pa.int64()).to_pylist())


def _plain(value: Value, kind: pa.DataType) -> Value:
    """Return a value as JSON can have it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and _places(kind) <= 0 else float(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (timedelta, UUID)):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(inner, kind.field(name).type) for name, inner in value.items()}
    if pa.types.is_map(kind) and isinstance(value, list):
        return {str(name): _plain(inner, kind.item_type) for name, inner in value}
    return value


def _places(kind: pa.DataType) -> int:
    """Return how many places a decimal type has; 1 for other types."""
    places: int = kind.scale if pa.types.is_decimal(kind) else 1
    return places


def _readable(kind: pa.DataType) -> pa.DataType:
    """Return the type that Python has values of: its times know no nanoseconds, and its floats no halves."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_time64(kind):
        return pa.time64("us")
    if pa.types.is_duration(kind):
        return pa.duration("us")
    if pa.types.is_float16(kind):
        return pa.float64()
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(kind.field(place).name, _readable(kind.field(place).type)) for place in range(kind.num_fields)])
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, _readable(kind.item_type))
    return kind


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if pa.types.is_integer(kind):
        return WHOLE
    if pa.types.is_decimal(kind):
        return DECIMAL if _places(kind) > 0 else WHOLE
    if pa.types.is_floating(kind):
        return DECIMAL
    if pa.types.is_boolean(kind):
        return FLAG
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return TIME
    if pa.types.is_null(kind):
        return NOTHING
    return OBJECT if pa.types.is_nested(kind) else TEXT


def _small_texts(metadata: pq.FileMetaData) -> list[str]:
    """Return the text columns whose few distinct values are read once instead of once a row.

    A column of a row group that is small in the file is large in memory when it repeats long texts.
    """
    schema = metadata.schema
    small = []
    for place in range(metadata.num_columns):
        column = schema.column(place)
        sizes = (metadata.row_group(group).column(place).total_uncompressed_size for group in range(metadata.num_row_groups))
        if str(column.logical_type.type) == "STRING" and "." not in column.path and max(sizes, default=0) < CHUNK_BYTES / 2:
            small.append(column.path)
    return small


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """Return how many rows of the file are about CHUNK_BYTES, at most CHUNK_ROWS."""
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    widest: float = max((group.total_byte_size / group.num_rows for group in groups if group.num_rows > 0), default=0.0)
    row_bytes: float = max(widest, _BYTES_A_VALUE * metadata.num_columns, 1.0)
    return max(1, min(CHUNK_ROWS, math.floor(CHUNK_BYTES / row_bytes)))


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
