"""Tables of any size, a chunk of rows at a time, whatever their format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from loadgen.replay.values import Value

CHUNK_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows as columns of equal length; `first_row` is the number of the first one, counted from 1."""

    first_row: int
    size: int
    columns: dict[str, list[Value]]


class Table(Protocol):
    """A file of rows. `columns` are its columns with a word on their type."""

    columns: dict[str, str]

    def chunks(self, time_column: str, text_columns: set[str]) -> Iterator[Chunk]:
        """Return the rows in their order.

        `time_column` comes as milliseconds since the epoch where the table has real timestamps, else as it is written;
        `text_columns` come as they are written. Raises RowError for a row that cannot be read.
        """
