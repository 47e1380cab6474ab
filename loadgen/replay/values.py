"""Columns of a table as the values that events may have; what cannot be is an error that names the row and the value."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from schemas.errors import TowerError
from schemas.events import NAME_LENGTH

Value = object
"""A value as a table has it: None, a bool, int, float, str, a dict or list, or ABSENT."""
Scalar = str | bool | int | float
T = TypeVar("T")
YEAR_10000_MS = 253_402_300_800_000


class Absent:
    """The value of a field that a row does not have at all."""


ABSENT = Absent()


class RowError(TowerError):
    """A value in a row of a table cannot be used."""


def convert(values: list[Value], one: Callable[[Value], T], first_row: int, column: str, mend: str = "") -> list[T]:
    """Return `one(value)` for each value of a column. `one` raises ValueError with what it expected.

    Raises RowError that names row (from 1), column and value.
    """
    converted: list[T] = []
    try:
        for value in values:
            converted.append(one(value))
    except (ValueError, OverflowError) as error:
        row = first_row + len(converted)
        shown = "nothing" if is_missing(values[len(converted)]) else repr(values[len(converted)])
        raise RowError(f"row {row:,}, column {column}: expected {error}, got {shown[:120]}", mend) from error
    return converted


def is_missing(value: Value) -> bool:
    """Return whether a table has nothing there: a null, a NaN, or no such field."""
    return value is None or value is ABSENT or (isinstance(value, float) and math.isnan(value))


def epoch_ms(value: Value) -> int:
    """Return a time as milliseconds since the epoch.

    A number is seconds, milliseconds, microseconds or nanoseconds since the epoch, by its size (the years 1973 to
    5138 are told apart). Text is ISO 8601; without an offset it is UTC.
    """
    if isinstance(value, str):
        return _text_ms(value.strip())
    if isinstance(value, datetime):
        return _datetime_ms(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("a time (ISO 8601, or a number since the epoch)")
    size = abs(value)
    milliseconds = round(value * 1000 if size < 1e11 else value if size < 1e14 else value / 1e3 if size < 1e17 else value / 1e6)
    if not 0 <= milliseconds < YEAR_10000_MS:
        raise ValueError("a time from 1970 on")
    return milliseconds


def _text_ms(text: str) -> int:
    try:
        return _datetime_ms(datetime.fromisoformat(text))
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        raise ValueError("a time (ISO 8601 such as 2024-05-01T12:00:00Z, or a number since the epoch)") from None
    return epoch_ms(number)


def _datetime_ms(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


def scalar(value: Value) -> Scalar:
    """Return a class or a target, of the type that the table has it in."""
    if is_missing(value) or not isinstance(value, (str, bool, int, float)) or (isinstance(value, float) and math.isinf(value)):
        raise ValueError("text, a number or true/false")
    return value


def text(value: Value) -> str:
    """Return a name of 1 to 128 characters; numbers become text."""
    if is_missing(value) or isinstance(value, (dict, list)):
        raise ValueError("text")
    written = value if isinstance(value, str) else ("true" if value else "false") if isinstance(value, bool) else str(value)
    if not 1 <= len(written) <= NAME_LENGTH:
        raise ValueError(f"text of 1 to {NAME_LENGTH} characters")
    return written


def not_negative(value: Value) -> float:
    """Return a number that is at least 0."""
    found = number(value)
    if found < 0:
        raise ValueError("a number >= 0")
    return found


def number(value: Value) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("a number")
    return value


def boolean(value: Value) -> bool:
    """Return true or false, also written as 1/0 or yes/no."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False, "t": True, "f": False, "y": True, "n": False}
    written = (
        value.strip().lower() if isinstance(value, str) else str(int(value)) if value in (0, 1) and isinstance(value, (int, float)) else ""
    )
    if written not in known:
        raise ValueError("true or false")
    return known[written]


def status(value: Value) -> str:
    """Return `ok` or `error`."""
    if value not in ("ok", "error"):
        raise ValueError('"ok" or "error"')
    return str(value)


def score(value: Value) -> float | dict[str, float]:
    """Return a probability, or an object class -> probability."""
    if isinstance(value, dict):
        return {str(name): _probability(chance) for name, chance in value.items() if not is_missing(chance)}
    return _probability(value)


def _probability(value: Value) -> float:
    found = number(value)
    if not 0 <= found <= 1:
        raise ValueError("a probability from 0 to 1")
    return found


def feature(value: Value) -> str | bool | int | float | Absent | None:
    """Return an input; a NaN or an infinite number is a null, and what is absent stays absent."""
    if value is None or isinstance(value, (str, bool, int, Absent)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise ValueError("text, a number, true/false or nothing")


def optional(one: Callable[[Value], T]) -> Callable[[Value], T | None]:
    """Return `one` for values that may be missing; empty text is missing too."""
    return lambda value: None if is_missing(value) or value == "" else one(value)
