"""A line in the log every ten seconds while events come: how much has been taken in, how fast, up to which event time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from pipeline.shard.updates import PaneUpdate

log = logging.getLogger("tower.pipeline")
_EVERY_MS = 10_000


class ProgressLog:
    """Adds up what the shards have told; `clock` returns epoch milliseconds."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._counts: dict[int, dict[str, int]] = {}
        self._told_ms = clock()
        self._told_events = 0

    def note(self, update: PaneUpdate, newest_event_time: int) -> None:
        """Take in a shard's counts, and log them all when it is time and something has come."""
        self._counts[update.shard] = update.counts
        elapsed_ms = self._clock() - self._told_ms
        total = Counter[str]()
        for counts in self._counts.values():
            total.update(counts)
        events = total["predictions"] + total["duplicates"] + total["outcomes"]
        if elapsed_ms < _EVERY_MS or events == self._told_events:
            return
        rate = (events - self._told_events) * 1000 / elapsed_ms
        parts = [f"{count:,} {name}" for name, count in sorted(total.items()) if count]
        newest = datetime.fromtimestamp(newest_event_time / 1000, UTC)
        log.info("since the start: %s; %s events/s; event time %s", ", ".join(parts), f"{rate:,.0f}", f"{newest:%Y-%m-%d %H:%M:%SZ}")
        self._told_ms, self._told_events = self._clock(), events
