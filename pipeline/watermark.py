"""How far event time has come.

The watermark is the smallest, over the partitions of `predictions` that are not idle, of their largest
event time; when all are idle, nothing older can be under way and it is the largest of all. It decides `status`
and what counts as late; it drops nothing, and it never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.columns import Progress

BEGINNING = -(2**62)
"""Before any event time."""


@dataclass(slots=True)
class Watermark:
    """Follows the partitions in `unread`, `active` or `idle` state; times in epoch milliseconds."""

    topic: str
    partitions: frozenset[int]
    value: int = BEGINNING
    newest: dict[int, int] = field(default_factory=dict)
    idle: set[int] = field(default_factory=set)

    @classmethod
    def restored(cls, topic: str, partitions: frozenset[int], stored: dict[str, int]) -> Watermark:
        """Return a watermark that goes on from what `stored()` returned."""
        newest = {int(partition): time for partition, time in stored.items() if partition != "value"}
        return cls(topic, partitions, stored.get("value", BEGINNING), newest)

    def stored(self) -> dict[str, int]:
        """Return what to keep for `restored`."""
        return {"value": self.value} | {str(partition): time for partition, time in self.newest.items()}

    def advance(self, progress: Progress) -> None:
        """Take note of what has been read of a partition."""
        if progress.topic != self.topic:
            return
        if progress.newest is not None:
            self.newest[progress.partition] = max(progress.newest, self.newest.get(progress.partition, BEGINNING))
        if progress.idle:
            self.idle.add(progress.partition)
        elif progress.end > progress.start:
            self.idle.discard(progress.partition)
        self.value = max(self.value, self._now())

    @property
    def newest_event_time(self) -> int:
        """The largest event time read so far, from which retention counts back."""
        return max(self.newest.values(), default=BEGINNING)

    @property
    def slowest(self) -> int | None:
        """The event time of the partition that is furthest behind, or None when all have been read to their ends."""
        active = self.partitions - self.idle
        return min(self.newest.get(partition, BEGINNING) for partition in active) if active else None

    def _now(self) -> int:
        slowest = self.slowest
        return self.newest_event_time if slowest is None else slowest
