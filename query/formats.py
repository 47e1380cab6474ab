"""Rows as an aligned table, as JSON, or as CSV."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import TextIO

from query.lake import Result

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "NUMBER")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with, to one spreadsheet or another (OWASP, "CSV Injection")."""
_EXACT = 2**53
"""Beyond it whole numbers are not exact as float64, which all numbers of JavaScript are."""


def write_table(result: Result, out: TextIO) -> None:
    """Write an aligned table: numbers to the right, NULL empty, and the number of rows below."""
    rows = [[_cell(value) for value in row] for batch in result.batches for row in batch]
    columns = [_harmless(name) for name in result.columns]
    widths = [max([len(name), *(len(row[index]) for row in rows)]) for index, name in enumerate(columns)]
    right = [kind.lstrip("U").startswith(_NUMBERS) for kind in result.types]
    out.write(_aligned(columns, widths, right))
    out.write("  ".join("-" * width for width in widths) + "\n")
    for row in rows:
        out.write(_aligned(row, widths, right))
    out.write(f"({len(rows)} {'row' if len(rows) == 1 else 'rows'})\n")


def _aligned(cells: Iterable[str], widths: list[int], right: list[bool]) -> str:
    padded = [cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in zip(cells, widths, right, strict=True)]
    return "  ".join(padded).rstrip() + "\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return _readable(value)
    text = _plain(value)
    return _harmless(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False))


def _harmless(text: str) -> str:
    """Return text in which whatever moves a terminal's cursor, or turns its direction, is shown and not done: names come from events."""
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _readable(value: float) -> str:
    """Return six decimals at most, and an exponent only where they would show nothing."""
    if not math.isfinite(value) or (value != 0 and not 1e-4 <= abs(value) < 1e15):
        return f"{value:g}"
    return f"{value:.6f}".rstrip("0").rstrip(".")


def write_json(result: Result, out: TextIO) -> None:
    """Write an array of objects, one a line. Times are RFC 3339 in UTC; NaN and infinities, which JSON lacks, are null."""
    out.write("[")
    separator = "\n"
    names = distinct(result.columns)
    for batch in result.batches:
        for row in batch:
            named = {name: _plain(value) for name, value in zip(names, row, strict=True)}
            out.write(separator + json.dumps(named, ensure_ascii=False, allow_nan=False))
            separator = ",\n"
    out.write("\n]\n" if separator == ",\n" else "]\n")


def distinct(names: list[str]) -> list[str]:
    """Return the names with those that are there already numbered: an object has each once."""
    seen: list[str] = []
    for name in names:
        number = 2
        free = name
        while free in seen:
            free, number = f"{name}_{number}", number + 1
        seen.append(free)
    return seen


def write_csv(result: Result, out: TextIO) -> None:
    """Write CSV with a header; NULL is an empty field, NaN and infinities are `nan` and `inf`, and times are as in JSON.

    Text that a spreadsheet would run as a formula has an apostrophe before it: names come from events. Other formats leave it as it is.
    """
    # Only what is in the line's end is quoted before Python 3.13, and a bare carriage return would end the line for whoever reads.
    unix_lines = SimpleNamespace(write=lambda line: out.write(line.removesuffix("\r\n") + "\n"))
    writer = csv.writer(unix_lines, lineterminator="\r\n")
    writer.writerow([_no_formula(name) for name in result.columns])
    for batch in result.batches:
        writer.writerows([_field(value) for value in row] for row in batch)


def write_page(result: Result, out: TextIO) -> None:
    """Write one object for a page: `columns` as pairs of name and DuckDB's type, and `rows` as lists of what JSON has.

    Whole numbers that a browser's numbers do not hold are text.
    """
    columns = json.dumps([list(pair) for pair in zip(result.columns, result.types, strict=True)], ensure_ascii=False)
    out.write(f'{{"columns": {columns}, "rows": [')
    separator = ""
    for batch in result.batches:
        for row in batch:
            cells = [str(value) if isinstance(value, int) and abs(value) > _EXACT else _plain(value) for value in row]
            out.write(separator + json.dumps(cells, ensure_ascii=False, allow_nan=False))
            separator = ","
    out.write("]}")


def _field(value: object) -> object:
    # Full precision: repr of a float is the shortest text that reads back as the same number.
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Decimal):
        return str(value)
    plain = _plain(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, str):
        return _no_formula(plain)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (dict, list)) else plain


def _no_formula(text: str) -> str:
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _plain(value: object) -> object:
    """Return a value of JSON's types."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        if value.replace(tzinfo=None) in (datetime.max, datetime.min):  # DuckDB's infinities
            return "infinity" if value.year > 1 else "-infinity"
        moment = value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
        return moment.replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def _number(value: Decimal) -> int | float | str:
    """Return a decimal as a JSON number where that keeps its digits, else as text."""
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value():
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)


WRITERS: dict[str, Callable[[Result, TextIO], None]] = {"table": write_table, "json": write_json, "csv": write_csv}
"""The formats of `tower query --format`."""
