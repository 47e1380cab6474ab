"""Which batch a reading process is at: known when it has died over it."""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import c_int64
from multiprocessing.sharedctypes import RawArray

from pipeline.reading.pace import Position

_NONE = -1


class WorkMark:
    """The partition and first offset of the batch that is being read. Passed to a process as it is spawned; it outlives that."""

    def __init__(self, positions: Iterable[Position]) -> None:
        self._positions = sorted(positions)
        self._at = RawArray(c_int64, [_NONE, 0])

    def set(self, position: Position, offset: int) -> None:
        """Note that the batch of a partition from `offset` on is begun."""
        self._at[1] = offset
        self._at[0] = self._positions.index(position)

    def clear(self) -> None:
        """Note that none is."""
        self._at[0] = _NONE

    def get(self) -> tuple[Position, int] | None:
        """Return the batch that is begun."""
        place, offset = self._at
        return None if place == _NONE else (self._positions[place], offset)
