"""What an annotation is, and which are accepted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Kind = Literal["deployment", "incident", "note"]
EVERY_MODEL = "*"
_FURTHEST_AHEAD_MS = 366 * 86_400_000
_Time = int | Annotated[datetime, msgspec.Meta(tz=True)]


class Annotation(msgspec.Struct, frozen=True):
    """Something that happened, to one model or to all; times in epoch ms. Without an end it was a moment. `text` is data."""

    id: str
    kind: Kind
    text: str
    model: str
    start: int
    end: int | None
    author: str
    updated: int


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent to make one or to replace it; times are RFC 3339 or epoch ms, and `start` is now where it is left out."""

    kind: Kind
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] = EVERY_MODEL
    start: _Time | None = None
    end: _Time | None = None

    def written(self, key: str, author: str, now_ms: int) -> Annotation:
        """Return the annotation. Raises ValueError when its times cannot be."""
        start = now_ms if self.start is None else _milliseconds(self.start)
        end = None if self.end is None else _milliseconds(self.end)
        if not 0 <= start <= now_ms + _FURTHEST_AHEAD_MS:
            raise ValueError("start is no time of this age - write RFC 3339 or epoch milliseconds")
        if end is not None and not start <= end <= now_ms + _FURTHEST_AHEAD_MS:
            raise ValueError("end is before start, or more than a year ahead")
        if not self.text.strip():
            raise ValueError("text is empty")
        return Annotation(key, self.kind, self.text.strip(), self.model, start, None if end == start else end, author, now_ms)


def _milliseconds(time: int | datetime) -> int:
    return time if isinstance(time, int) else int(time.timestamp() * 1000)
