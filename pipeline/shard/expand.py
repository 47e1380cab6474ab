"""From deltas by profile and time to deltas of panes: all scopes of a profile, all windows that are kept.

The finest window is summed first and the coarser ones from it, since few cells are left then. What is past the
retention of a finer window starts at the first coarser one that still keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.cells import Ints, Kind, cell_keys
from pipeline.panes import LENGTH_MS, NO_CELLS, Cells, coded, merge, pane_ids, pane_scope, pane_start_ms, summed_codes
from pipeline.shard.deltas import Delta
from pipeline.shard.rows import PredictionRows
from schemas.metrics import TUMBLING


def expand(delta: Delta, profile_scopes: Sequence[Ints], oldest_end: Sequence[int]) -> list[Cells]:
    """Return the cells to add to the panes of each tumbling window.

    `profile_scopes` lists the scopes of each profile; a window is kept when it ends after `oldest_end[window]`.
    """
    finest = _finest_window(delta.created_at, oldest_end)
    result: list[Cells] = []
    finer = NO_CELLS
    for window in range(len(TUMBLING)):
        rows = np.flatnonzero(finest == window)
        coarser = _coarser(finer, window)
        finer = (
            merge([_scoped(delta, rows, window, profile_scopes), coarser])
            if len(rows) and len(coarser)
            else (_scoped(delta, rows, window, profile_scopes) if len(rows) else coarser)
        )
        result.append(_kept(finer, window, oldest_end[window]))
    return result


def late_cells(
    rows: PredictionRows, counted: Ints, profile_scopes: Sequence[Ints], oldest_end: Sequence[int], lateness_ms: int
) -> list[Cells]:
    """Return the cells that count, for each window, the predictions read when it was already final."""
    created_at, watermark, profile = rows.created_at[counted], rows.watermark[counted], rows.profile[counted]
    result = []
    for window, length in enumerate(LENGTH_MS[: len(TUMBLING)].tolist()):
        end = created_at - created_at % length + length
        late = np.flatnonzero((end + lateness_ms <= watermark) & (end > oldest_end[window]))
        if len(late):
            ones = Delta(profile[late], created_at[late], np.broadcast_to(cell_keys(Kind.LATE), late.shape), np.ones(len(late)))
            result.append(_scoped(ones, np.arange(len(late)), window, profile_scopes))
    return result


def _finest_window(created_at: Ints, oldest_end: Sequence[int]) -> Ints:
    """Return for each time the first window that keeps it; len(TUMBLING) when none does."""
    finest = np.full(len(created_at), len(TUMBLING), dtype=np.int64)
    for window in reversed(range(len(TUMBLING))):
        length = LENGTH_MS[window]
        finest[created_at - created_at % length + length > oldest_end[window]] = window
    return finest


def _scoped(delta: Delta, rows: Ints, window: int, profile_scopes: Sequence[Ints]) -> Cells:
    """Return the cells of `rows`, counted once for every scope of their profile."""
    length = int(LENGTH_MS[window])
    created_at = delta.created_at[rows]
    # A pane id with the profile in the place of the scope: what is looked up for each of these is not looked up for each row.
    slots, slot_of = coded(pane_ids(window, created_at - created_at % length, delta.profile[rows]))
    profile = pane_scope(slots)
    scopes = np.array([len(of) for of in profile_scopes], dtype=np.int64)
    scope = np.concatenate(profile_scopes)[_ranges((np.cumsum(scopes) - scopes)[profile], scopes[profile])]
    panes, pane_of = coded(pane_ids(window, np.repeat(pane_start_ms(slots), scopes[profile]), scope))
    cells, cell_of = coded(delta.cell[rows])
    copies = scopes[profile]
    first = np.cumsum(copies) - copies
    row = np.repeat(np.arange(len(rows)), copies[slot_of])
    pane = pane_of[_ranges(first[slot_of], copies[slot_of])]
    return summed_codes((panes, pane), (cells, cell_of[row]), delta.value[rows][row])


def _ranges(first: Ints, count: Ints) -> Ints:
    """Return the numbers from each `first` on, `count` of each, one after the other."""
    before = np.cumsum(count) - count
    result: Ints = np.arange(count.sum()) + np.repeat(first - before, count)
    return result


def _kept(cells: Cells, window: int, oldest_end: int) -> Cells:
    """Return the cells of windows that are kept: a finer window may be configured to be kept longer than a coarser one."""
    kept = pane_start_ms(cells.pane) + LENGTH_MS[window] > oldest_end
    return cells if kept.all() else Cells(cells.pane[kept], cells.cell[kept], cells.value[kept])


def _coarser(cells: Cells, window: int) -> Cells:
    """Return the cells of a window from those of a finer one."""
    if not len(cells):
        return NO_CELLS
    starts = np.flatnonzero(np.append(True, cells.pane[1:] != cells.pane[:-1]))
    pane = cells.pane[starts]
    start = pane_start_ms(pane)
    panes, pane_of = coded(pane_ids(window, start - start % LENGTH_MS[window], pane_scope(pane)))
    return summed_codes((panes, np.repeat(pane_of, np.diff(np.append(starts, len(cells))))), coded(cells.cell), cells.value)
