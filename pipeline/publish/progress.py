"""A line in the log every ten seconds while events come: how much has been taken in, how fast, up to which event time."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import UTC, datetime

from pipeline.shard.updates import PaneUpdate
from pipeline.watermark import BEGINNING

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
        log.info("since the start: %s; %s events/s; %s", ", ".join(parts), f"{rate:,.0f}", _told(newest_event_time))
        self._told_s, self._told_events = time.monotonic(), events


def _told(newest_event_time: int) -> str:
    """Return up to when events have been taken; before the first prediction, when outcomes alone have come, there is no time."""
    if newest_event_time == BEGINNING:
        return "no prediction yet"
    return f"event time {datetime.fromtimestamp(newest_event_time / 1000, UTC):%Y-%m-%d %H:%M:%SZ}"
