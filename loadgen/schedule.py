"""Events that are to be sent at an event time, in order of that time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One message: `due_ms` is the event time at which it is sent; `number` keeps the order of equals."""

    due_ms: int
    number: int
    topic: str = field(compare=False)
    key: bytes = field(compare=False)
    value: bytes = field(compare=False)


class Schedule:
    """A bounded store of events to come. The latest-coming ones beyond `limit` are not kept: they are what never becomes known."""

    def __init__(self, limit: int = 300_000) -> None:
        self._heap: list[Event] = []
        self._limit = limit
        self.refused = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, event: Event) -> None:
        """Keep `event`, unless the schedule is full."""
        if len(self._heap) >= self._limit:
            self.refused += 1
            return
        heapq.heappush(self._heap, event)

    def pop_before(self, end_ms: int) -> list[Event]:
        """Take out all events that are due before `end_ms`, in order."""
        taken = []
        while self._heap and self._heap[0].due_ms < end_ms:
            taken.append(heapq.heappop(self._heap))
        return taken
