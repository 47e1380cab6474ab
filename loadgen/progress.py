"""A line every few seconds that says how far a run is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from loadgen.sending import Counts

EVERY_S = 5.0


class Progress:
    """Writes a line on `out` at most every `every_s` seconds of the clock `now`."""

    def __init__(self, out: TextIO, now: Callable[[], float], every_s: float = EVERY_S) -> None:
        self._out = out
        self._now = now
        self._every_s = every_s
        self._start = self._last = now()
        self._produced_then = 0

    def tick(self, counts: Counts, note: str = "") -> None:
        """Write the line, when it is time: elapsed time, counts, the rate since the last line, and `note`."""
        now = self._now()
        if now - self._last < self._every_s:
            return
        rate = (counts.produced - self._produced_then) / (now - self._last)
        self._last, self._produced_then = now, counts.produced
        minutes, seconds = divmod(int(now - self._start), 60)
        line = (
            f"{minutes:02d}:{seconds:02d}  {counts.produced:,} produced, {counts.acknowledged:,} acknowledged, "
            f"{counts.failed:,} failed, {rate:,.0f} events/s"
        )
        print(f"{line}; {note}" if note else line, file=self._out, flush=True)
