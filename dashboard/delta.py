"""What to send to a chart so that it shows what the store holds: append, patch, or replace.

A `Mirror` knows the times that one chart's source shows. It turns pulled rows into the cheapest
step: new times are appended, known ones patched in place, and only a row that belongs between two
shown ones makes it replace all. Between two points that are further apart than `gap_ms`, an empty
row breaks the line, so that a pause is not drawn as if something had been measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard.series import Bools, Ints


@dataclass(frozen=True, slots=True)
class Append:
    """Rows to append: `take[i]` is the index into the pulled rows, or -1 for an empty row; `times` as shown."""

    times: Ints
    take: Ints


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, in this order: patch (shown index, pulled index) pairs, then append, and keep the last `rollover` rows."""

    patch: list[tuple[int, int]]
    append: Append


class Mirror:
    """The rows that one source shows, oldest first, at most `rollover` of them."""

    __slots__ = ("_gap_ms", "_length_ms", "_real", "_rollover", "_times")

    def __init__(self, *, rollover: int, length_ms: int, gap_ms: int) -> None:
        self._rollover = rollover
        self._length_ms = length_ms
        self._gap_ms = gap_ms
        self._times: Ints = np.zeros(0, dtype=np.int64)
        self._real: Bools = np.zeros(0, dtype=np.bool_)

    @property
    def times(self) -> Ints:
        """The times of the points shown, without the empty rows."""
        return self._times[self._real]

    def clear(self) -> None:
        """Forget all rows, as after the source was emptied."""
        self._times, self._real = self._times[:0], self._real[:0]

    def replace(self, times: Ints) -> Append:
        """Return the rows of a source that shall show exactly the points at `times` (ascending)."""
        self.clear()
        return self._append(times, np.arange(len(times)))

    def plan(self, times: Ints) -> Step | None:
        """Return how rows that were pulled at `times` (ascending) get into the source; None means replace all."""
        known = np.isin(times, self.times)
        fresh = times[~known]
        if len(self._times) and len(fresh) and fresh[0] <= self._times[-1]:
            return None
        pulled = np.flatnonzero(known)
        if len(pulled) > max(8, len(self._times) // 4):
            return None
        # Searched on the real rows alone: an empty row never has the time of a point, but may equal that of a late one.
        shown = np.flatnonzero(self._real)[np.searchsorted(self.times, times[pulled])]
        patch = list(zip(shown.tolist(), pulled.tolist(), strict=True))
        return Step(patch, self._append(fresh, np.flatnonzero(~known)))

    def _append(self, fresh: Ints, take: Ints) -> Append:
        previous = np.concatenate([self._times[-1:], fresh[:-1]])
        if len(previous) < len(fresh):
            previous = np.concatenate([fresh[:1], previous])
        breaks = np.flatnonzero(fresh - previous > self._gap_ms)
        times = np.insert(fresh, breaks, previous[breaks] + self._length_ms)
        rows = np.insert(take, breaks, -1)
        self._times = np.concatenate([self._times, times])[-self._rollover :]
        self._real = np.concatenate([self._real, rows >= 0])[-self._rollover :]
        return Append(times, rows)
