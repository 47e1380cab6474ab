"""Tables of any size, a chunk of rows at a time, whatever their format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from loadgen.replay.values import Value

CHUNK_ROWS = 8_192
CHUNK_BYTES = 8_000_000
"""A chunk ends at so many rows or bytes of the file, whichever comes first: rows of 200 KB are no rare thing in logs of text models."""

NOTHING = "nothing"
WHOLE = "whole numbers"
DECIMAL = "decimals"
FLAG = "true/false"
TEXT = "text"
TIME = "times"
OBJECT = "objects"

Kinds = tuple[str, ...]
"""What the values of a column are, some of the words above."""
Watch = Callable[[float], None]
"""Called with the share of a file (0-1) that has been looked at; it may raise to stop that."""


def nobody_watches(share: float) -> None:
    """Let a table be opened without a word."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows as columns of equal length; `first_row` is the number of the first one, counted from 1."""

    first_row: int
    size: int
    columns: dict[str, list[Value]]


class Table(Protocol):
    """A file of rows. `columns` has what the values of each column are, `examples` a first value of each that has one."""

    columns: dict[str, Kinds]
    examples: dict[str, Value]

    def chunks(self, time_column: str, text_columns: set[str]) -> Iterator[Chunk]:
        """Return the rows in their order.

        `time_column` comes as milliseconds since the epoch where the table has real timestamps, else as it is written;
        `text_columns` come as they are written. Raises RowError for a row that cannot be read.
        """


def distinct_names(names: list[str]) -> list[str]:
    """Return names for columns, each once: a repeated one has a number, one without a name is called by its place."""
    found: dict[str, None] = {}
    for place, name in enumerate(names, start=1):
        free = name or f"column_{place}"
        number = 1
        while free in found:
            free, number = f"{name or 'column'}_{number}", number + 1
        found[free] = None
    return list(found)
