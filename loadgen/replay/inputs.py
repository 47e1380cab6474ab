"""The features and segments of the rows of a table: from columns of their own, and from columns of objects."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

from loadgen.replay.mapping import ColumnMapping
from loadgen.replay.table import Chunk
from loadgen.replay.values import ABSENT, Absent, Value, convert, feature, is_missing, optional, text

Features = dict[str, str | bool | int | float | None]
Segments = dict[str, str]
T = TypeVar("T")


def features_of(chunk: Chunk, mapping: ColumnMapping) -> Iterator[Features | None]:
    """Return the features of each row of `chunk`; None where there are none. Raises RowError for what cannot be one."""
    chosen = dict(mapping.features)
    if mapping.open_features:
        known = mapping.columns() | set(mapping.unused)
        chosen.update({name.removeprefix("features."): name for name in chunk.columns if name not in known})
    mend = "leave the column out with --features=-COLUMN"
    columns = [convert(_column(chunk, name), feature, chunk.first_row, name, mend) for name in chosen.values()]
    for values, inner in zip(_rows(columns, chunk.size), _objects(chunk, mapping.fields.get("features")), strict=True):
        found: Features = {name: value for name, value in zip(chosen, values, strict=True) if not isinstance(value, Absent)}
        for name, value in inner.items():
            one = feature(value)
            if not isinstance(one, Absent):
                found[name] = one
        yield found or None


def segments_of(chunk: Chunk, mapping: ColumnMapping) -> Iterator[Segments | None]:
    """Return the segments of each row of `chunk`; None where there are none. A missing value is no segment."""
    read = optional(text)
    columns = [convert(_column(chunk, name), read, chunk.first_row, name) for name in mapping.segments.values()]
    for values, inner in zip(_rows(columns, chunk.size), _objects(chunk, mapping.fields.get("segments")), strict=True):
        found = {name: value for name, value in zip(mapping.segments, values, strict=True) if value is not None}
        found.update({name: value for name, value in ((name, read(value)) for name, value in inner.items()) if value is not None})
        yield found or None


def _column(chunk: Chunk, name: str) -> list[Value]:
    return chunk.columns.get(name) or [ABSENT] * chunk.size


def _rows(columns: list[list[T]], size: int) -> Iterable[tuple[T, ...]]:
    return zip(*columns, strict=True) if columns else itertools.repeat((), size)


def _objects(chunk: Chunk, name: str | None) -> Iterable[dict[str, Value]]:
    """Return a column of objects; a missing one is empty."""
    if name is None:
        return itertools.repeat({}, chunk.size)
    return convert(_column(chunk, name), _object, chunk.first_row, name)


def _object(value: Value) -> dict[str, Value]:
    """Return an object of scalars."""
    if is_missing(value):
        return {}
    if not isinstance(value, dict) or any(isinstance(inner, (dict, list)) for inner in value.values()):
        raise ValueError("an object of text, numbers, true/false and nulls")
    return value
