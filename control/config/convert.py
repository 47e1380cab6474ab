"""A raw value, from TOML or as text, into the type of its key."""

from __future__ import annotations

import json
import types
import typing
from typing import Any

from control.config.sections import Key
from schemas.durations import parse_duration
from schemas.errors import ConfigurationError

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def convert(key: Key, value: object, name: str, origin: str) -> object:
    """Return the value in the type of its key.

    Raises ConfigurationError that says where it was set and what is expected.
    """
    try:
        return _duration(value) if key.is_duration else _typed(key.kind, value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{origin}: {name}: {error.what}", error.mend) from error
    except ValueError as error:
        what = "expected text" if key.is_secret else str(error)
        raise ConfigurationError(f"{origin}: {name}: {what}", "correct the value") from error


def _duration(value: object) -> int:
    if not isinstance(value, str):
        raise ConfigurationError(f"{value!r} is not a duration", "write a number and a unit in quotes: 500ms, 90s, 15m, 36h, 15d")
    return parse_duration(value)


def _typed(kind: Any, value: object) -> object:
    if isinstance(kind, types.UnionType):
        kind = next(one for one in typing.get_args(kind) if one is not types.NoneType)
    if kind is bool:
        return _boolean(value)
    if kind is int:
        return _integer(value)
    if kind is float:
        return _number(value)
    if kind is str:
        return _text(value)
    if typing.get_origin(kind) is list:
        return _list(value)
    if typing.get_origin(kind) is dict:
        raise ValueError("expected a section, one key per name")
    raise TypeError(f"no conversion to {kind}")


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUE + _FALSE:
        return value.strip().lower() in _TRUE
    raise ValueError(f"expected true or false, got {value!r}")


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and value.strip().replace("_", "").isdecimal():
        number = int(value)
    else:
        raise ValueError(f"expected a whole number of at least 0, got {value!r}")
    if number < 0:
        raise ValueError(f"expected a whole number of at least 0, got {value!r}")
    return number


def _number(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise ValueError(f"expected a number, got {value!r}")


def _text(value: object) -> str:
    """Return text; a number or boolean becomes its JSON, so that `positive_class = 1` is the integer."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    raise ValueError(f"expected text, got {value!r}")


def _list(value: object) -> list[str]:
    """Return a list of texts; as one text it is a JSON array, or the items separated by commas."""
    if isinstance(value, str):
        if not value.lstrip().startswith("["):
            return [item.strip() for item in value.split(",") if item.strip()]
        value = json.loads(value)
    if not isinstance(value, list):
        raise ValueError(f"expected a list, got {value!r}")
    return [_text(item) for item in value]
