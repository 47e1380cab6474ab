"""Why a message is no event, in words that its producer can act on.

`$.response_time_ms: expected a number >= 0, got "fast"`
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
import orjson

_NAME = "a text of 1 to 128 characters"
_SCALAR = "a text, a number or a boolean"
EXPECTED: dict[str, str] = {
    "prediction_id": _NAME,
    "model": _NAME,
    "model_version": _NAME,
    "created_at": "an RFC 3339 time or epoch milliseconds",
    "response_time_ms": "a number >= 0",
    "status": '"ok" or "error"',
    "prediction": _SCALAR,
    "score": "a number from 0 to 1, or an object of them by class",
    "features": "an object of numbers, texts, booleans and nulls",
    "segments": "an object of texts",
    "variant": _NAME,
    "unit_id": "a text",
    "schema_version": "an integer",
    "label": _SCALAR,
    "converted": "a boolean",
    "revenue_generated": "a number",
}
_MEMBER_EXPECTED = {
    "features": "a number, a text, a boolean or null",
    "segments": "a text",
    "score": "a number from 0 to 1",
}
_PATH = re.compile(r" - at `(\$[^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_SHOWN = 80


class Rejection(Exception):
    """A message that is no event. `path` is the field, `$` the whole; `reason` includes the path."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)  # what an exception is pickled as
        self.path = path
        self.reason = f"{path}: {why}"

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason


def shown(value: object) -> str:
    """Return a value as short JSON text, cut at 80 characters."""
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, orjson.JSONEncodeError):
        try:
            text = str(value)
        except RecursionError:  # orjson reads more levels than it, or Python, writes
            text = "what is nested too deeply"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def expected(field: str, value: object) -> Rejection:
    """Return the rejection of one field's value: what was expected there, and what came."""
    return Rejection(f"$.{field}", f"expected {EXPECTED[field]}, got {shown(value)}")


def missing_prediction() -> Rejection:
    """Return the rejection of an event that is no error and has no prediction."""
    return Rejection("$.prediction", "expected a text, a number or a boolean, but it is missing (required when status is ok)")


def without_offset(time: datetime) -> Rejection:
    """Return the rejection of a time that may be that of any place."""
    return Rejection("$.created_at", f'expected a time with an offset (such as Z), got "{time.isoformat()}"')


def explain(message: bytes, error: Exception) -> Rejection:
    """Return the rejection for an error that msgspec raised on a message."""
    text = str(error)
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return Rejection("$", f"invalid JSON: {text.removeprefix('JSON is malformed: ')}")
    missing = _MISSING.search(text)
    if missing:
        return Rejection(f"$.{missing[1]}", f"expected {EXPECTED.get(missing[1], 'a value')}, but it is missing")
    found = _PATH.search(text)
    if not found or found[1] == "$":
        return Rejection("$", f"expected an object, got {_document(message)}")
    field = re.split(r"[.\[]", found[1][2:])[0]
    members = _member(message, field) if field in _MEMBER_EXPECTED else None
    if members is not None:
        return members
    if "out of range" in text:
        return Rejection(f"$.{field}", f"expected {EXPECTED.get(field, 'a number')}, got a number that is out of range")
    if field not in EXPECTED:
        return Rejection(found[1], text)
    document = _parse(message)
    # What comes behind it is invalid JSON, or too deep for orjson: then nobody can say what it is.
    return expected(field, document.get(field)) if document is not None else Rejection(f"$.{field}", f"expected {EXPECTED[field]}")


def _parse(message: bytes) -> dict[str, Any] | None:
    """Return a message as an object, or None when it is none as a whole: msgspec reads no further than to the first thing that is wrong."""
    try:
        document = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _document(message: bytes) -> str:
    try:
        return shown(orjson.loads(message))
    except orjson.JSONDecodeError:
        return shown(message.decode(errors="replace"))


def _member(message: bytes, field: str) -> Rejection | None:
    """Return the rejection of the first wrong member of an object field, if that is what is wrong."""
    document = _parse(message)
    value = document.get(field) if document is not None else None
    if not isinstance(value, dict):
        return None
    for name, member in value.items():
        wrong = {
            "features": isinstance(member, (dict, list)),
            "segments": not isinstance(member, str),
            "score": isinstance(member, bool) or not isinstance(member, (int, float)) or not 0 <= member <= 1,
        }[field]
        if wrong:
            return Rejection(f"$.{field}.{name[:_SHOWN]}", f"expected {_MEMBER_EXPECTED[field]}, got {shown(member)}")
    return None
