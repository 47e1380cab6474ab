"""Columnar series of one scope and window, keyed by `window_start`.

A message on `tower.metrics` is the whole state of one window, so a point is replaced, never added
to; all (dimension, metric) of a message share one time axis. Each row carries the stamp of its last
change, so that a reader with a cursor (the largest stamp it has seen) pulls just what it lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.metrics import MetricsMessage

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Column = tuple[str, str]
"""(dimension, metric)"""
Keep = Callable[[str, str], bool]
"""Says whether a (dimension, metric) is kept."""

VALUE, N, LOW, HIGH = range(4)
_FIELDS = 4
_FIRST_CAPACITY = 32


@dataclass(frozen=True, slots=True)
class Points:
    """Some points of one series, times (ms) ascending; NaN where a number is missing."""

    times: Ints
    value: Floats
    n: Floats
    low: Floats
    high: Floats
    final: Bools

    def __len__(self) -> int:
        return len(self.times)

    def where(self, mask: Bools) -> Points:
        """Return the points for which `mask` is true."""
        return Points(self.times[mask], self.value[mask], self.n[mask], self.low[mask], self.high[mask], self.final[mask])


_NOTHING = np.zeros(0)
NO_POINTS = Points(_NOTHING.astype(np.int64), _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING.astype(np.bool_))


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows that changed after a cursor: `values` has one array (rows, 4) of value, n, low, high for each column asked for."""

    times: Ints
    final: Bools
    values: dict[Column, Floats]


@dataclass(frozen=True, slots=True)
class Block:
    """The whole states of many windows of one scope and window: all arrays by window, `times` (ms) ascending, each once.

    For each column `values` has the positions of the windows that have it, and their (value, n, low, high).
    """

    times: Ints
    revision: Ints
    updated: Ints
    final: Bools
    values: Mapping[Column, tuple[Ints, Floats]]


class Frame:
    """All series of one scope and window; rows older than `span_ms` before the newest are dropped.

    At most `max_columns` series are kept; `dropped_columns` counts those beyond.
    """

    def __init__(self, span_ms: int, max_columns: int) -> None:
        self._span_ms = span_ms
        self.max_columns = max_columns
        self.dropped_columns = 0
        self.stamp = 0
        self._first = self._last = 0
        self._times: Ints = np.zeros(_FIRST_CAPACITY, dtype=np.int64)
        self._revision: Ints = np.zeros(_FIRST_CAPACITY, dtype=np.int64)
        self._updated: Ints = np.zeros(_FIRST_CAPACITY, dtype=np.int64)
        self._stamp: Ints = np.zeros(_FIRST_CAPACITY, dtype=np.int64)
        self._final: Bools = np.zeros(_FIRST_CAPACITY, dtype=np.bool_)
        self._columns: dict[Column, Floats] = {}

    def __len__(self) -> int:
        return self._last - self._first

    @property
    def times(self) -> Ints:
        """Window starts in ms, ascending (a view: copy it before the lock is released)."""
        return self._times[self._first : self._last]

    @property
    def columns(self) -> Iterable[Column]:
        """The (dimension, metric) that have been seen."""
        return self._columns.keys()

    def upsert(self, message: MetricsMessage, stamp: int, keep: Keep) -> bool:
        """Store the whole state of one window; return whether anything changed.

        An older state than the one stored is ignored, so messages and history may arrive in any order.
        A pipeline that was started afresh counts revisions from one again: its newer `updated_at` wins.
        """
        start = message.window_start
        if len(self) and start <= self._times[self._last - 1] - self._span_ms:
            return False
        at = self._first + int(np.searchsorted(self.times, start))
        if at < self._last and self._times[at] == start:
            if message.revision <= self._revision[at] and message.updated_at <= self._updated[at]:
                return False
        else:
            at = self._insert(at)
            self._times[at] = start
        self._revision[at], self._updated[at] = message.revision, message.updated_at
        self._final[at] = message.status == "final"
        self._stamp[at] = self.stamp = stamp
        for column in self._columns.values():
            column[at] = np.nan
        for row in message.rows:
            if keep(row.dimension, row.metric):
                kept = self._column((row.dimension, row.metric))
                if kept is not None:
                    kept[at] = (row.value, row.n, np.nan if row.low is None else row.low, np.nan if row.high is None else row.high)
        self._drop_old()
        return True

    def merge(self, block: Block, stamp: int) -> bool:
        """Store many states at once, each as `upsert` does; return whether anything changed."""
        oldest = max([*self.times[-1:].tolist(), *block.times[-1:].tolist()], default=0) - self._span_ms
        place = np.searchsorted(self.times, block.times)
        known = np.isin(block.times, self.times)
        newer = ~known
        of = self._first + place[known]
        newer[known] = (block.revision[known] > self._revision[of]) | (block.updated[known] > self._updated[of])
        newer &= block.times > oldest
        if not newer.any():
            return False
        self._make_room(np.union1d(self.times, block.times[newer]))
        at = np.full(len(block.times), -1)
        at[newer] = self._first + np.searchsorted(self.times, block.times[newer])
        rows = at[newer]
        self._revision[rows], self._updated[rows], self._final[rows] = block.revision[newer], block.updated[newer], block.final[newer]
        self._stamp[rows] = self.stamp = stamp
        for column in self._columns.values():
            column[rows] = np.nan
        for key, (windows, values) in block.values.items():
            kept = self._column(key)
            if kept is not None:
                taken = newer[windows]
                kept[at[windows[taken]]] = values[taken]
        self._drop_old()
        return True

    def pull(self, wanted: Sequence[Column], cursor: int) -> Changes:
        """Return copies of the rows stamped after `cursor`, for the wanted columns; a series never seen is all NaN."""
        span = slice(self._first, self._last)
        rows = np.flatnonzero(self._stamp[span] > cursor) + self._first
        values: dict[Column, Floats] = {}
        for key in wanted:
            column = self._columns.get(key)
            values[key] = np.full((len(rows), _FIELDS), np.nan) if column is None else column[rows]
        return Changes(self._times[rows], self._final[rows], values)

    def points(self, dimension: str, metric: str) -> Points:
        """Return a copy of one series, without the windows in which it is missing."""
        return self.series([(dimension, metric)]).get((dimension, metric), NO_POINTS)

    def series(self, wanted: Iterable[Column]) -> dict[Column, Points]:
        """Return copies of those series that there are, each without the windows in which it is missing."""
        span = slice(self._first, self._last)
        times, final = self._times[span].copy(), self._final[span].copy()
        found = {}
        for key in wanted:
            if key in self._columns:
                rows = self._columns[key][span].copy()
                points = Points(times, rows[:, VALUE], rows[:, N], rows[:, LOW], rows[:, HIGH], final)
                have = ~np.isnan(points.value)
                found[key] = points if have.all() else points.where(have)
        return found

    def totals(self, metric: str, start: int, end: int) -> dict[str, float]:
        """Return, for each dimension of a metric, the sum of its windows that start from `start` on and before `end`."""
        first, last = (self._first + int(np.searchsorted(self.times, edge)) for edge in (start, end))
        found = {key[0]: float(np.nansum(column[first:last, VALUE])) for key, column in self._columns.items() if key[1] == metric}
        return {dimension: total for dimension, total in found.items() if total}

    def _column(self, key: Column) -> Floats | None:
        column = self._columns.get(key)
        if column is None:
            if len(self._columns) >= self.max_columns:
                self.dropped_columns += 1
                return None
            column = self._columns[key] = np.full((len(self._times), _FIELDS), np.nan)
        return column

    def _arrays(self) -> list[tuple[str, npt.NDArray[np.generic]]]:
        return [(name, getattr(self, name)) for name in ("_times", "_revision", "_updated", "_stamp", "_final")]

    def _insert(self, at: int) -> int:
        """Make room for a row at `at`; return where it is now."""
        if self._last == len(self._times):
            at -= self._first
            self._rebuild(max(_FIRST_CAPACITY, 2 * len(self)))
        if at < self._last:
            for _, array in self._arrays():
                array[at + 1 : self._last + 1] = array[at : self._last].copy()
            for column in self._columns.values():
                column[at + 1 : self._last + 1] = column[at : self._last].copy()
        self._last += 1
        return at

    def _make_room(self, times: Ints) -> None:
        """Have a row for each of `times` (ascending), among which are those of all rows; new ones are empty."""
        rows = np.searchsorted(times, self.times)
        self._rebuild(len(times) + _FIRST_CAPACITY, rows)
        self._times[: len(times)] = times
        self._last = len(times)

    def _rebuild(self, capacity: int, rows: Ints | None = None) -> None:
        """Move all rows to new arrays: to the beginning, or to where `rows` says."""
        size = len(self)
        to = slice(size) if rows is None else rows
        for name, array in self._arrays():
            grown = np.zeros(capacity, dtype=array.dtype)
            grown[to] = array[self._first : self._last]
            setattr(self, name, grown)
        for key, column in self._columns.items():
            grown_column = np.full((capacity, _FIELDS), np.nan)
            grown_column[to] = column[self._first : self._last]
            self._columns[key] = grown_column
        self._first, self._last = 0, size

    def _drop_old(self) -> None:
        oldest = self._times[self._last - 1] - self._span_ms
        self._first += int(np.searchsorted(self.times, oldest, side="right"))
