"""Reading a backlog in step: partitions side by side in event time, whatever their sizes.

An outcome then meets its prediction in the commit that holds both. Read as fast as each can be, the smaller topic would be hours ahead,
and each event would be stored, looked up and stored again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ctypes import c_int64
from multiprocessing.sharedctypes import RawArray

Position = tuple[str, int]
_APART_MS = 60_000
_LIVE_MS = 60_000
_NO_BACKLOG = 2**63 - 1
_LARGE_SHARE = 10
"""A partition has a backlog while its batches have at least this part of the messages that one may have."""


class PaceBoard:
    """How far each partition that has a backlog is in event time; all reading processes of a cluster share it.

    Passed to a process as it is spawned. A partition has one writer, and a number of 8 aligned bytes is never read in halves.
    """

    def __init__(self, positions: Iterable[Position]) -> None:
        self._places = {position: place for place, position in enumerate(sorted(positions))}
        self._reached = RawArray(c_int64, [_NO_BACKLOG] * max(len(self._places), 1))

    def set(self, position: Position, reached: int | None) -> None:
        """Note how far a partition is (epoch ms), or that it has no backlog."""
        self._reached[self._places[position]] = _NO_BACKLOG if reached is None else reached

    def get(self, position: Position) -> int | None:
        """Return how far a partition is (epoch ms), or None when it has no backlog."""
        reached = self._reached[self._places[position]]
        return None if reached == _NO_BACKLOG else reached

    def least(self) -> int:
        """Return how far the partition that is behind all others is (epoch ms); far in the future when none has a backlog."""
        return int(min(self._reached))


class Pace:
    """Who waits for whom among the partitions that have a backlog. `clock` returns epoch milliseconds."""

    def __init__(self, clock: Callable[[], int], batch_messages: int, board: PaceBoard) -> None:
        self._clock = clock
        self._large = max(batch_messages // _LARGE_SHARE, 1)
        self._board = board

    def note(self, position: Position, messages: int, newest: int | None) -> None:
        """Note a batch, and the largest event time in it."""
        self._board.set(position, newest if messages >= self._large else None)

    def is_ahead(self, position: Position) -> bool:
        """Say whether a partition should wait for others. Events of this very minute never do."""
        reached = self._board.get(position)
        if reached is None or reached > self._clock() - _LIVE_MS:
            return False
        return reached > self._board.least() + _APART_MS
