"""Which windows a stretch of time is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.metrics import DEFAULT_RETENTION_MS, ROLLING, ROLLING_STEP_MS, WINDOW_LENGTH_MS

MINUTE_MS, HOUR_MS, DAY_MS = (WINDOW_LENGTH_MS[window] for window in ("1m", "1h", "1d"))
_SURE_MS = 10 * MINUTE_MS
"""What is so much younger than its retention is surely there: the pipeline may be a little ahead of what the lake says."""


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


def whole(stretch: Stretch, newest: int, kept_ms: Mapping[str, int] = DEFAULT_RETENTION_MS) -> Stretch:
    """Return the stretch with its ends on whole minutes, hours or days, the finest that are kept so long; at least one of them long."""
    kept = (WINDOW_LENGTH_MS[window] for window in ("1m", "1h") if stretch.start >= newest - kept_ms[window] + _SURE_MS)
    step = next(kept, DAY_MS)
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
