"""Which windows a stretch of time is made of."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.metrics import DEFAULT_RETENTION_MS, ROLLING, ROLLING_STEP_MS, WINDOW_LENGTH_MS

MINUTE_MS, HOUR_MS, DAY_MS = (WINDOW_LENGTH_MS[window] for window in ("1m", "1h", "1d"))
_MINUTES_REACH_MS = DEFAULT_RETENTION_MS["1m"] - HOUR_MS
"""How far back from the newest event minutes are surely kept."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` up to `end` (epoch ms, exclusive)."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tile:
    """All windows of one length that start from `first` up to `last` (epoch ms, exclusive)."""

    window: str
    first: int
    last: int


def whole(stretch: Stretch, newest: int) -> Stretch:
    """Return the stretch with its ends on whole minutes, or on whole hours where minutes are no longer kept; at least one of them long."""
    step = MINUTE_MS if stretch.start >= newest - _MINUTES_REACH_MS else HOUR_MS
    start = stretch.start // step * step
    return Stretch(start, max(start + step, -(-stretch.end // step) * step))


def tiles(stretch: Stretch) -> list[Tile]:
    """Return the fewest windows that make up a stretch with whole ends: one, where one is just as long, else days, hours and minutes."""
    length = stretch.end - stretch.start
    if length == WINDOW_LENGTH_MS[ROLLING] and stretch.end % ROLLING_STEP_MS == 0:
        return [Tile(ROLLING, stretch.start, stretch.start + 1)]
    found: list[Tile] = []
    rest = [stretch]
    for window in ("1d", "1h", "1m"):
        step, left = WINDOW_LENGTH_MS[window], []
        for each in rest:
            first, last = -(-each.start // step) * step, each.end // step * step
            if first >= last:
                left.append(each)
                continue
            found.append(Tile(window, first, last))
            left += [part for part in (Stretch(each.start, first), Stretch(last, each.end)) if part.start < part.end]
        rest = left
    return found


def is_one_window(parts: list[Tile]) -> bool:
    """Say whether the tiles are one window, so that every metric of it is exact."""
    return len(parts) == 1 and (parts[0].window == ROLLING or parts[0].last - parts[0].first == WINDOW_LENGTH_MS[parts[0].window])
