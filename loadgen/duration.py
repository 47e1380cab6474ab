"""A length of time in a scenario file: `"20s"`, `"1h30m"`; milliseconds inside."""

from __future__ import annotations

from typing import Any

from schemas.durations import parse_duration
from schemas.errors import ConfigurationError


class Milliseconds(int):
    """A length of time in milliseconds."""

    __slots__ = ()


def decode_duration(kind: type[Any], value: object) -> Milliseconds:
    """Return `value` as Milliseconds: the hook with which msgspec reads them.

    Raises ValueError, which msgspec turns into an error that names the field.
    """
    if kind is not Milliseconds:
        raise NotImplementedError(f"no way to read {kind}")
    if not isinstance(value, str):
        raise ValueError(f'expected a duration such as "20s", got {value!r}')
    try:
        return Milliseconds(parse_duration(value))
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
