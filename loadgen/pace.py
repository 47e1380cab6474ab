"""When events are due: deadlines counted from the start of the run, so that no error adds up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

JUMP_S = 5.0
"""When the wall clock has got so far ahead of the monotonic one, the machine has slept: the monotonic clock did not see that."""
MAX_BEHIND_S = 10.0
"""A run that is later than this does not catch up: what it missed is left out."""
_LOOK_BACK_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class EventClock:
    """Maps the seconds since the start to event time: `speed` times as fast, until it has caught up with the wall clock.

    `start_ms` is the wall clock at the start, `origin_ms` the event time then.
    """

    start_ms: int
    origin_ms: int
    speed: float

    def at(self, elapsed_s: float) -> int:
        """Return the event time in milliseconds, never later than the wall clock."""
        return min(self.start_ms + round(elapsed_s * 1000), self.origin_ms + round(elapsed_s * 1000 * self.speed))


def event_clock(start_ms: int, speed: float, duration_s: float | None) -> EventClock:
    """Return the clock of a run that starts at `start_ms`.

    Event time must not be ahead of the wall clock, so a faster run begins in the past: as far back as it catches up
    in `duration_s`, or a day when it has no end. A slower run falls behind the wall clock.
    """
    back = 0 if speed <= 1 else _LOOK_BACK_MS if duration_s is None else round(duration_s * 1000 * (speed - 1))
    return EventClock(start_ms, start_ms - back, speed)


class Stopwatch:
    """The seconds since it was made, by the monotonic clock; time that the machine has slept counts too."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._started = monotonic()
        self._started_wall = wall()
        self._slept = 0.0

    def elapsed(self) -> float:
        """Return the seconds since the start; they never go back."""
        seen = self._monotonic() - self._started + self._slept
        ahead = self._wall() - self._started_wall - seen
        if ahead > JUMP_S:
            self._slept += ahead
            seen += ahead
        return seen


@dataclass(slots=True)
class Tokens:
    """One token an event: `rate` of them a second, all counted from the start. `spent` have been used or given up."""

    rate: float
    spent: int = 0

    def available(self, elapsed_s: float) -> int:
        """Return how many events are due at `elapsed_s` and not yet spent; negative when too many were sent."""
        return int(self.rate * elapsed_s) - self.spent

    def forgive(self, elapsed_s: float) -> None:
        """Give up the events that were due before `elapsed_s`."""
        self.spent = max(self.spent, int(self.rate * elapsed_s))
