"""Readers of numbers on the command line; argparse shows their messages, with the flag's name."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from schemas.durations import parse_duration
from schemas.errors import ConfigurationError


def positive(text: str) -> float:
    """Return a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def duration(text: str) -> int:
    """Return a length of time (`2h`) in milliseconds."""
    try:
        return parse_duration(text)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(f"{error.what}: {error.mend}") from error


def up_to(most: int) -> Callable[[str], float]:
    """Return a reader of numbers above 0 that are at most `most`."""

    def read(text: str) -> float:
        number = positive(text)
        if number > most:
            raise argparse.ArgumentTypeError(f"expected a number of at most {most:,}, got {text!r}")
        return number

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, got {text!r}")
        return number

    return read
