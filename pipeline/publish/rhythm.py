"""When to publish, and which windows can wait meanwhile. Nothing here looks at a clock."""

from __future__ import annotations

from pipeline.panes import WINDOWS
from pipeline.watermark import BEGINNING
from schemas.metrics import TUMBLING

_FIRST_LONG = TUMBLING.index("1h")
SHORT, LONG = frozenset(range(_FIRST_LONG)), frozenset(range(_FIRST_LONG, len(WINDOWS)))
"""Indices of the windows that are watched as they fill, and of those that change little from one second to the next."""
_LONG_INTERVAL_S = 1.0
_BACKLOG_INTERVAL_S = 1.5
"""While events of the past are read, nobody waits for windows that will change again at once."""
_RUSH = 60


class Rhythm:
    """The pace of one publisher: every `interval_s`, but for at most two thirds of its thread's time.

    Under load panes just change more often in between. Times are seconds that only grow.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next_s = self._next_long_s = self._began_s = 0.0
        self._looked = (0.0, BEGINNING)
        self._behind = False

    def due(self, now_s: float) -> bool:
        """Say whether it is time."""
        return now_s >= self._next_s

    def begin(self, now_s: float, newest: int, lag_ms: int, lateness_ms: int) -> frozenset[int]:
        """Begin to publish; return the windows that wait as long as they are open.

        `newest` is the newest event time, `lag_ms` how far it is behind the clock. Where event time runs so fast that a window of a minute
        is final two seconds after its last event, it is published once, when it is final: nobody could have looked at it before. After a
        quiet time the first event looks like that too, but it is not behind the clock.
        """
        before_s, before = self._looked
        self._looked = now_s, newest
        self._began_s = now_s
        self._behind = lag_ms > lateness_ms and newest > before
        is_rushing = self._behind and before > BEGINNING and newest - before >= _RUSH * 1000 * (now_s - before_s)
        waiting = SHORT if is_rushing else frozenset()
        if now_s < self._next_long_s:
            return waiting | LONG
        self._next_long_s = now_s + _LONG_INTERVAL_S
        return waiting

    def end(self, now_s: float) -> None:
        """Note that all has been published that was due."""
        interval_s = _BACKLOG_INTERVAL_S if self._behind else self._interval_s
        self._next_s = max(self._began_s + interval_s, now_s + (now_s - self._began_s) / 2)
