"""From deltas by profile and time to deltas of panes: all scopes of a profile, all windows that are kept.

The finest window is summed first and the coarser ones from it, since few cells are left then. What is past the
retention of a finer window starts at the first coarser one that still keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.cells import Floats, Ints, Keys, Kind, cell_keys
from pipeline.panes import LENGTH_MS, Cells, pane_ids, pane_scope, pane_start_ms, summed
from pipeline.shard.deltas import Delta
from pipeline.shard.rows import PredictionRows
from schemas.metrics import TUMBLING


def expand(delta: Delta, profile_scopes: Sequence[Ints], oldest_end: Sequence[int]) -> list[Cells]:
    """Return the cells to add to the panes of each tumbling window.

    `profile_scopes` lists the scopes of each profile; a window is kept when it ends after `oldest_end[window]`.
    """
    finest = _finest_window(delta.created_at, oldest_end)
    result: list[Cells] = []
    finer: Cells | None = None
    for window in range(len(TUMBLING)):
        rows = np.flatnonzero(finest == window)
        parts = [_scoped(delta, rows, window, profile_scopes)] if len(rows) else []
        if finer is not None and len(finer):
            parts.append(_coarser(finer, window))
        finer = summed(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else None
        if finer is not None:
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
            result.append(summed(*_scoped(ones, np.arange(len(late)), window, profile_scopes)))
    return result


def _finest_window(created_at: Ints, oldest_end: Sequence[int]) -> Ints:
    """Return for each time the first window that keeps it; len(TUMBLING) when none does."""
    finest = np.full(len(created_at), len(TUMBLING), dtype=np.int64)
    for window in reversed(range(len(TUMBLING))):
        length = LENGTH_MS[window]
        finest[created_at - created_at % length + length > oldest_end[window]] = window
    return finest


def _scoped(delta: Delta, rows: Ints, window: int, profile_scopes: Sequence[Ints]) -> tuple[Keys, Keys, Floats]:
    """Return the cells of `rows` once for every scope of their profile."""
    length = int(LENGTH_MS[window])
    created_at, profile = delta.created_at[rows], delta.profile[rows]
    start = created_at - created_at % length
    by_profile = _summed_by_profile(profile, start, delta.cell[rows], delta.value[rows])
    profile, start, cell, value = by_profile
    counts = np.array([len(scopes) for scopes in profile_scopes], dtype=np.int64)
    first = np.cumsum(counts) - counts
    repeats = counts[profile]
    row = np.repeat(np.arange(len(profile)), repeats)
    within = np.arange(len(row)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    scope = np.concatenate(profile_scopes)[first[profile][row] + within]
    return pane_ids(window, start[row], scope), cell[row], value[row]


def _summed_by_profile(profile: Ints, start: Ints, cell: Keys, value: Floats) -> tuple[Ints, Ints, Keys, Floats]:
    """Sum first what shares profile, start and cell; a pane id with the profile in the place of the scope is the key."""
    cells = summed(pane_ids(0, start, profile), cell, value)
    return pane_scope(cells.pane), pane_start_ms(cells.pane), cells.cell, cells.value


def _kept(cells: Cells, window: int, oldest_end: int) -> Cells:
    """Return the cells of windows that are kept: a finer window may be configured to be kept longer than a coarser one."""
    kept = pane_start_ms(cells.pane) + LENGTH_MS[window] > oldest_end
    return cells if kept.all() else Cells(cells.pane[kept], cells.cell[kept], cells.value[kept])


def _coarser(cells: Cells, window: int) -> tuple[Keys, Keys, Floats]:
    start = pane_start_ms(cells.pane)
    return pane_ids(window, start - start % LENGTH_MS[window], pane_scope(cells.pane)), cells.cell, cells.value
