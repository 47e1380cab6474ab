"""A line in the log every ten seconds while events come: how much has been taken in, how fast, up to which event time."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import UTC, datetime

from pipeline.shard.updates import PaneUpdate

log = logging.getLogger("tower.pipeline")
_EVERY_S = 10.0


class ProgressLog:
    """Adds up what the shards have told."""

    def __init__(self) -> None:
        self._counts: dict[int, dict[str, int]] = {}
        self._told_s = time.monotonic()
        self._told_events = 0

    def note(self, update: PaneUpdate, newest_event_time: int) -> None:
        """Take in a shard's counts, and log them all when it is time and something has come."""
        self._counts[update.shard] = update.counts
        elapsed_s = time.monotonic() - self._told_s
        total = Counter[str]()
        for counts in self._counts.values():
            total.update(counts)
        events = total["predictions"] + total["duplicates"] + total["outcomes"]
        if elapsed_s < _EVERY_S or events == self._told_events:
            return
        rate = (events - self._told_events) / elapsed_s
        parts = [f"{count:,} {name}" for name, count in sorted(total.items()) if count]
        newest = datetime.fromtimestamp(newest_event_time / 1000, UTC)
        log.info("since the start: %s; %s events/s; event time %s", ", ".join(parts), f"{rate:,.0f}", f"{newest:%Y-%m-%d %H:%M:%SZ}")
        self._told_s, self._told_events = time.monotonic(), events
