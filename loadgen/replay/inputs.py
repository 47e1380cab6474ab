"""The features and segments of the rows of a table: from columns of their own, and from columns of objects."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from loadgen.replay.mapping import ColumnMapping
from loadgen.replay.table import Chunk
from loadgen.replay.values import ABSENT, Absent, RowError, Value, convert, feature, is_missing, optional, text

Features = dict[str, str | bool | int | float | None]
Segments = dict[str, str]
T = TypeVar("T")

_LEAVE_OUT = "leave the column out with --features=-COLUMN"


def features_of(chunk: Chunk, mapping: ColumnMapping, text_length: int) -> Iterator[Features | None]:
    """Return the features of each row of `chunk`; None where there are none. Raises RowError for what cannot be one."""
    chosen = _chosen_features(chunk, mapping)
    for name, column in chosen.items():
        _check_name(name, column, 0, text_length)
    columns = [convert(_column(chunk, name), feature, chunk.first_row, name, _LEAVE_OUT) for name in chosen.values()]
    members = _members(chunk, mapping.fields.get("features"), feature, 0, text_length)
    for row, (values, inner) in enumerate(zip(_rows(columns, chunk.size), members, strict=True), start=chunk.first_row):
        found: Features = {name: value for name, value in zip(chosen, values, strict=True) if not isinstance(value, Absent)}
        for name, value in inner.items():
            if name in found:
                what = f"row {row:,}: {chosen[name]} and {mapping.fields['features']}.{name} are both the feature {name}"
                raise RowError(what, f"leave one out: --features=-{chosen[name]}")
            if not isinstance(value, Absent):
                found[name] = value
        yield found or None


def segments_of(chunk: Chunk, mapping: ColumnMapping, text_length: int) -> Iterator[Segments | None]:
    """Return the segments of each row of `chunk`; None where there are none. A missing value is no segment."""
    for name, column in mapping.segments.items():
        _check_name(name, column, 1, text_length)

    def read(value: Value) -> str | None:
        return optional(lambda known: text(known, 1, text_length))(value)

    columns = [convert(_column(chunk, name), read, chunk.first_row, name) for name in mapping.segments.values()]
    members = _members(chunk, mapping.fields.get("segments"), read, 1, text_length)
    for values, inner in zip(_rows(columns, chunk.size), members, strict=True):
        found = {name: value for name, value in zip(mapping.segments, values, strict=True) if value is not None}
        found.update({name: value for name, value in inner.items() if value is not None})
        yield found or None


def _chosen_features(chunk: Chunk, mapping: ColumnMapping) -> dict[str, str]:
    """Return the columns that become features by the feature's name, also those that turn up for the first time here."""
    chosen = dict(mapping.features)
    if mapping.open_features:
        known = mapping.columns() | set(mapping.unused)
        for column in chunk.columns:
            if column in known:
                continue
            name = column.removeprefix("features.")
            if name in chosen:
                raise RowError(f"columns {chosen[name]} and {column} are both the feature {name}", f"leave one out: --features=-{column}")
            chosen[name] = column
    return chosen


def _check_name(name: str, where: str, shortest: int, longest: int) -> None:
    if not shortest <= len(name) <= longest:
        raise RowError(
            f"{where[:80]}: expected a name of {shortest} to {longest} characters, got {len(name)}", "rename it, or leave it out"
        )


def _column(chunk: Chunk, name: str) -> list[Value]:
    return chunk.columns.get(name) or [ABSENT] * chunk.size


def _rows(columns: list[list[T]], size: int) -> Iterable[tuple[T, ...]]:
    return zip(*columns, strict=True) if columns else itertools.repeat((), size)


def _members(
    chunk: Chunk, column: str | None, one: Callable[[Value], T], shortest_name: int, text_length: int
) -> Iterator[Mapping[str, T]]:
    """Return the values in a column of objects, each made by `one`; a missing object is empty."""
    if column is None:
        yield from itertools.repeat({}, chunk.size)
        return
    for row, inner in enumerate(convert(_column(chunk, column), _object, chunk.first_row, column), start=chunk.first_row):
        made = {}
        for name, value in inner.items():
            where = f"row {row:,}, column {column}.{name[:80]}"
            _check_name(name, where, shortest_name, text_length)
            try:
                made[name] = one(value)
            except (ValueError, OverflowError) as error:
                raise RowError(f"{where}: expected {error}, got {value!r:.120}", "mend the row") from error
        yield made


def _object(value: Value) -> dict[str, Value]:
    """Return an object of scalars."""
    if is_missing(value):
        return {}
    if not isinstance(value, dict) or any(isinstance(inner, (dict, list)) for inner in value.values()):
        raise ValueError("an object of text, numbers, true/false and nulls")
    return value
