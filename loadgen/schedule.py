"""Events that are to be sent at an event time, in order of that time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from schemas.topics import PREDICTIONS

_EVICTED_SHARE = 0.1
"""So much of a full schedule goes at once: it is sorted for that, which takes a third of a second for 300,000 events."""


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One message: `due_ms` is the event time at which it is sent; `number`, of which each event has its own, keeps the order of equals.

    `made_ms` is when a prediction was made, before a slow network delays it.
    """

    due_ms: int
    number: int
    topic: str = field(compare=False)
    key: bytes = field(compare=False)
    value: bytes = field(compare=False)
    made_ms: int = field(default=0, compare=False)


class Schedule:
    """A bounded store of events to come.

    When it is full, the outcomes that are due last leave it: they are what never becomes known. Those that are due soon stay, whichever
    model they are of, and so do predictions. `evicted` counts what has left.
    """

    def __init__(self, limit: int = 300_000) -> None:
        self._heap: list[tuple[int, int, Event]] = []
        self._limit = limit
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, event: Event) -> None:
        """Keep `event`; when the schedule is full, some that are due last make room."""
        heapq.heappush(self._heap, (event.due_ms, event.number, event))
        if len(self._heap) > self._limit:
            self._evict()

    def pop_before(self, end_ms: int) -> list[Event]:
        """Take out all events that are due before `end_ms`, in order."""
        taken = []
        while self._heap and self._heap[0][0] < end_ms:
            taken.append(heapq.heappop(self._heap)[2])
        return taken

    def note(self) -> str:
        """Return how much is to come, and how much had no room."""
        return f"{len(self):,} outcomes to come" + (f", {self.evicted:,} due too late to wait for them" if self.evicted else "")

    def _evict(self) -> None:
        self._heap.sort()  # a sorted list is a heap
        keep = self._limit - max(int(self._limit * _EVICTED_SHARE), 1)
        held = [entry for entry in self._heap[keep:] if entry[2].topic == PREDICTIONS]
        self.evicted += len(self._heap) - keep - len(held)
        self._heap[keep:] = held
