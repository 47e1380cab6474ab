"""The rolling window of seven days: sums of the hourly panes of a scope.

It ends on each full hour. A change of one hour touches the 168 windows that contain it, so those that have ended
are put on a list and done in bulk, a scope at a time; the one that is open is kept current from an accumulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.cells import Floats, Ints, Keys, Kind, cell_kind
from pipeline.panes import LENGTH_MS, NO_CELLS, ROLLING_INDEX, Cells, merge, pane_ids, pane_scope, pane_start_ms, summed
from schemas.metrics import ROLLING_STEP_MS, TUMBLING

HOURS = int(LENGTH_MS[ROLLING_INDEX]) // ROLLING_STEP_MS
_HOURLY = TUMBLING.index("1h")
LoadPanes = Callable[[Keys], Cells]
"""Returns the merged cells of panes, whose ids ascend."""


def coming_hour(time_ms: int) -> int:
    """Return the end of the rolling window that is open at `time_ms`."""
    return (time_ms // ROLLING_STEP_MS + 1) * ROLLING_STEP_MS


def hourly_ids(scope: int, first_ms: int, end_ms: int) -> Keys:
    """Return the ids of a scope's hourly panes that start from `first_ms` to before `end_ms`."""
    starts = np.arange(max(first_ms, 0), end_ms, ROLLING_STEP_MS, dtype=np.int64)
    return pane_ids(_HOURLY, starts, np.full(len(starts), scope, dtype=np.int64))


def rolling_id(scope: Ints, end_ms: Ints) -> Keys:
    """Return the ids of the rolling panes that end at `end_ms`."""
    return pane_ids(ROLLING_INDEX, end_ms - LENGTH_MS[ROLLING_INDEX], scope)


def rolling_panes(scope: int, first_end: int, last_end: int, load: LoadPanes) -> Cells:
    """Return the rolling panes of a scope that end on the hours from `first_end` to `last_end`."""
    first_hour = first_end - HOURS * ROLLING_STEP_MS
    cells = load(hourly_ids(scope, first_hour, last_end))
    if not len(cells):
        return NO_CELLS
    hour = (pane_start_ms(cells.pane) - first_hour) // ROLLING_STEP_MS
    kinds, column = np.unique(cells.cell, return_inverse=True)
    ends = (last_end - first_end) // ROLLING_STEP_MS + 1
    larger = cell_kind(kinds) == Kind.LATENCY_MAX
    nothing = np.where(larger, -np.inf, 0.0)
    by_hour = np.tile(nothing, (HOURS + ends - 1, 1))
    by_hour[hour, column] = cells.value
    windows = sliding_window_view(by_hour, HOURS, axis=0)
    total: Floats = np.empty((ends, len(kinds)))
    total[:, ~larger] = windows[:, ~larger].sum(axis=-1)
    total[:, larger] = windows[:, larger].max(axis=-1)
    row, col = np.nonzero(total != nothing)
    end = first_end + row * ROLLING_STEP_MS
    return Cells(rolling_id(np.full(len(row), scope, dtype=np.int64), end), kinds[col], total[row, col])


@dataclass(slots=True)
class OpenRolling:
    """The open rolling window of every scope that has been asked for, kept current by differences.

    Each hour it starts anew from the hourly panes, so that no rounding error outlives the hour.
    """

    end_ms: int = 0
    cells: Cells = NO_CELLS

    def move_to(self, end_ms: int) -> None:
        """Start anew when the hour has changed."""
        if end_ms != self.end_ms:
            self.end_ms, self.cells = end_ms, NO_CELLS

    def apply(self, before: Cells, after: Cells) -> None:
        """Take in a change of hourly panes; scopes that are not held are left out: `of` loads them when asked."""
        held = np.unique(pane_scope(self.cells.pane))
        if not len(held):
            return
        taken_back = cell_kind(before.cell) != Kind.LATENCY_MAX  # a maximum only grows: predictions are never taken back
        change = Cells(
            np.concatenate([before.pane[taken_back], after.pane]),
            np.concatenate([before.cell[taken_back], after.cell]),
            np.concatenate([-before.value[taken_back], after.value]),
        )
        start = pane_start_ms(change.pane)
        inside = (start < self.end_ms) & (start >= self.end_ms - LENGTH_MS[ROLLING_INDEX]) & np.isin(pane_scope(change.pane), held)
        ids = rolling_id(pane_scope(change.pane[inside]), np.full(int(inside.sum()), self.end_ms, dtype=np.int64))
        self.cells = summed(
            np.concatenate([self.cells.pane, ids]),
            np.concatenate([self.cells.cell, change.cell[inside]]),
            np.concatenate([self.cells.value, change.value[inside]]),
        )

    def of(self, scopes: Ints, load: LoadPanes) -> Cells:
        """Return the open window of `scopes` (ascending), loading those that are not held."""
        missing = np.setdiff1d(scopes, pane_scope(self.cells.pane))
        parts = [self.cells] + [rolling_panes(scope, self.end_ms, self.end_ms, load) for scope in missing.tolist()]
        self.cells = merge(parts)
        asked = np.isin(pane_scope(self.cells.pane), scopes)
        return Cells(self.cells.pane[asked], self.cells.cell[asked], self.cells.value[asked])
