"""Columns of a table as the values that events may have; what cannot be is an error that names the row and the value."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from schemas.errors import TowerError
from schemas.events import NAME_LENGTH
from schemas.limits import EARLIEST_MS, EXACT_BELOW, TEXT_LENGTH

Value = object
"""A value as a table has it: None, a bool, int, float, str, a dict or list, or ABSENT."""
Scalar = str | bool | int | float
T = TypeVar("T")
_YEAR_10000_MS = 253_402_300_800_000
_FIRST_DATE, _LAST_DATE = 19_000_101, 99_991_231
_LEAST_WHOLE, _MOST_WHOLE = -(2**63), 2**64 - 1
"""Whole numbers beyond these are not written as such in JSON."""


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

    A number is seconds, milliseconds, microseconds or nanoseconds since the epoch, by its size, or a date written as
    20240501: as seconds that would be in the year 1970. Text is ISO 8601; without an offset it is UTC.
    Raises ValueError for what is no time, and for times before the year 2000, which the pipeline refuses.
    """
    if isinstance(value, str):
        milliseconds = _text_ms(value.strip())
    elif isinstance(value, datetime):
        milliseconds = _datetime_ms(value)
    else:
        milliseconds = _number_ms(value)
    if not EARLIEST_MS <= milliseconds < _YEAR_10000_MS:
        raise ValueError("a time from the year 2000 on")
    return milliseconds


def _number_ms(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("a time (ISO 8601, or a number since the epoch)")
    if _FIRST_DATE <= value <= _LAST_DATE and value == int(value):
        try:
            return _datetime_ms(datetime.strptime(str(int(value)), "%Y%m%d"))
        except ValueError:
            pass
    size = abs(value)
    return round(value * 1000 if size < 1e11 else value if size < 1e14 else value / 1e3 if size < 1e17 else value / 1e6)


def _text_ms(text: str) -> int:
    try:
        return _number_ms(float(text))  # before ISO 8601, which would read the digits 13760311800 as a day in 1376
    except ValueError:
        pass
    try:
        return _datetime_ms(datetime.fromisoformat(text))
    except ValueError:
        raise ValueError("a time (ISO 8601 such as 2024-05-01T12:00:00Z, or a number since the epoch)") from None


def _datetime_ms(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


def scalar(value: Value, text_length: int = TEXT_LENGTH) -> Scalar:
    """Return a class or a target, of the type that the table has it in."""
    if is_missing(value) or not isinstance(value, (str, bool, int, float)) or (isinstance(value, float) and math.isinf(value)):
        raise ValueError("text, a number or true/false")
    if isinstance(value, str) and len(value) > text_length:
        raise ValueError(f"text of at most {text_length} characters")
    if isinstance(value, int) and abs(value) >= EXACT_BELOW:
        raise ValueError("a whole number of less than 2**53 in size")
    return value


def text(value: Value, shortest: int = 1, longest: int = NAME_LENGTH) -> str:
    """Return a name; numbers become text."""
    if is_missing(value) or isinstance(value, (dict, list)):
        raise ValueError("text")
    if isinstance(value, float) and abs(value) >= EXACT_BELOW:
        raise ValueError("text, or a number that is exact")
    written = value if isinstance(value, str) else ("true" if value else "false") if isinstance(value, bool) else str(value)
    if not shortest <= len(written) <= longest:
        raise ValueError(f"text of {shortest} to {longest} characters")
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
    return _writable(value)


def _writable(value: float) -> float:
    return value if _LEAST_WHOLE <= value <= _MOST_WHOLE else float(value)


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
    if value is None or isinstance(value, (str, bool, Absent)):
        return value
    if isinstance(value, int):
        return _writable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise ValueError("text, a number, true/false or nothing")


def optional(one: Callable[[Value], T]) -> Callable[[Value], T | None]:
    """Return `one` for values that may be missing; empty text is missing too."""
    return lambda value: None if is_missing(value) or value == "" else one(value)
