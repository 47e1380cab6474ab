"""Reading a backlog in step: partitions side by side in event time, whatever their sizes.

An outcome then meets its prediction in the commit that holds both. Read as fast as each can be, the smaller topic would be hours ahead,
and each event would be stored, looked up and stored again.
"""

from __future__ import annotations

from collections.abc import Callable

Position = tuple[str, int]
_APART_MS = 60_000
_LIVE_MS = 60_000
_LARGE_SHARE = 10
"""A partition has a backlog while its batches have at least this part of the messages that one may have."""


class Pace:
    """How far the partitions that have a backlog are in event time. `clock` returns epoch milliseconds."""

    def __init__(self, clock: Callable[[], int], batch_messages: int) -> None:
        self._clock = clock
        self._large = max(batch_messages // _LARGE_SHARE, 1)
        self._reached: dict[Position, int] = {}

    def note(self, position: Position, messages: int, newest: int | None) -> None:
        """Note a batch, and the largest event time in it."""
        if messages >= self._large and newest is not None:
            self._reached[position] = newest
        else:
            self._reached.pop(position, None)

    def is_ahead(self, position: Position) -> bool:
        """Say whether a partition should wait for others. Events of this very minute never do."""
        reached = self._reached.get(position)
        if reached is None or reached > self._clock() - _LIVE_MS:
            return False
        return reached > min(self._reached.values()) + _APART_MS
