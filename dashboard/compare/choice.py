"""What a viewer has picked to be compared."""

from __future__ import annotations

from typing import Literal

import msgspec

from dashboard.compare.reader import Side
from dashboard.compare.stretch import DAY_MS, HOUR_MS, Stretch
from schemas.metrics import ALL

_EARLIER_MS = {"hour": DAY_MS, "day": DAY_MS, "week": 7 * DAY_MS, "7d": 7 * DAY_MS}
"""How much earlier the other one of two ranges is."""


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`a` and `b` are two versions or segments; with `by` range they are two stretches of one `version` and `segment`.

    `range`: the newest whole `hour`, the newest whole `day` (of UTC; `week`: beside that of a week ago), the `7d` up to the newest whole
    hour, or `custom`: then `start` and `end` (epoch ms) are of a, or of both sides, and `start_b` and `end_b` are of b.
    """

    model: str
    by: Literal["version", "segment", "range"] = "version"
    a: str = ""
    b: str = ""
    version: str = ALL
    segment: str = ALL
    range: Literal["hour", "day", "week", "7d", "custom"] = "7d"
    start: int = 0
    end: int = 0
    start_b: int = 0
    end_b: int = 0

    def sides(self, newest: int) -> tuple[Side, Side]:
        """Return what the two sides are of, when the newest event is of that time (epoch ms)."""
        earlier, later = self._stretches(newest)
        if self.by == "range":
            return _side(self.version, self.segment, earlier), _side(self.version, self.segment, later)
        if self.by == "version":
            return _side(self.a, self.segment, later), _side(self.b, self.segment, later)
        return _side(self.version, self.a, later), _side(self.version, self.b, later)

    def _stretches(self, newest: int) -> tuple[Stretch, Stretch]:
        if self.range == "custom":
            first = Stretch(self.start, max(self.start, self.end))
            return first, Stretch(self.start_b, max(self.start_b, self.end_b)) if self.by == "range" else first
        end = newest // HOUR_MS * HOUR_MS if self.range in ("hour", "7d") else newest // DAY_MS * DAY_MS
        start = end - {"hour": HOUR_MS, "7d": 7 * DAY_MS}.get(self.range, DAY_MS)
        earlier = _EARLIER_MS[self.range]
        return Stretch(start - earlier, end - earlier), Stretch(start, end)


def _side(version: str, segment: str, stretch: Stretch) -> Side:
    return Side(version, segment, stretch.start, stretch.end)
