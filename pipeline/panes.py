"""Panes: their ids, and the arithmetic of their cells.

A pane id packs (window, start, scope) into 61 bits, windows and times first, so that ids ascend with time and
what is past its retention is one range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints, Keys, Kind, cell_kind
from schemas.metrics import ROLLING, TUMBLING, WINDOW_LENGTH_MS

WINDOWS = (*TUMBLING, ROLLING)
LENGTH_MS = np.array([WINDOW_LENGTH_MS[name] for name in WINDOWS], dtype=np.int64)
ROLLING_INDEX = WINDOWS.index(ROLLING)
SCOPE_BITS = 27
START_BITS = 31
START_UNIT_MS = 10_000
_KINDS_THAT_TAKE_THE_LARGER = int(Kind.LATENCY_MAX)


def pane_ids(window: int, start_ms: Ints, scope: Ints) -> Keys:
    """Return the ids of panes of one window (an index into WINDOWS)."""
    start = start_ms // START_UNIT_MS
    return ((np.int64(window) << (START_BITS + SCOPE_BITS)) | (start << SCOPE_BITS) | scope).astype(np.uint64)


def first_pane_id(window: int, start_ms: int) -> int:
    """Return the smallest id of panes of `window` that start at or after `start_ms`."""
    start = -(-max(start_ms, 0) // START_UNIT_MS)
    return (window << (START_BITS + SCOPE_BITS)) | (start << SCOPE_BITS)


def pane_window(ids: Keys) -> Ints:
    """Return the window of each pane, an index into WINDOWS."""
    return (ids >> np.uint64(START_BITS + SCOPE_BITS)).astype(np.int64)


def pane_start_ms(ids: Keys) -> Ints:
    """Return the start of each pane's window in epoch milliseconds."""
    mask = np.uint64((1 << START_BITS) - 1)
    return ((ids >> np.uint64(SCOPE_BITS)) & mask).astype(np.int64) * START_UNIT_MS


def pane_scope(ids: Keys) -> Ints:
    """Return the scope of each pane."""
    return (ids & np.uint64((1 << SCOPE_BITS) - 1)).astype(np.int64)


def key_bytes(ids: Keys) -> list[bytes]:
    """Return ids as 8 big-endian bytes each, so that their order on disk is their order."""
    data = ids.astype(">u8").tobytes()
    return [data[start : start + 8] for start in range(0, len(data), 8)]


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of many panes, ascending by pane and then by cell, each pair once: columns pane, cell, value."""

    pane: Keys
    cell: Keys
    value: Floats

    def __len__(self) -> int:
        return len(self.pane)


NO_CELLS = Cells(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint64), np.zeros(0))


def summed(pane: Keys, cell: Keys, value: Floats) -> Cells:
    """Return the cells with those of equal (pane, cell) put together; cells that come to zero are dropped.

    This is the merge of panes: merge(a, b) = summed(a + b).
    """
    if not len(pane):
        return NO_CELLS
    group, order = _ordered_groups(pane, cell)
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    values = value[order]
    total = np.add.reduceat(values, starts)
    first = order[starts]
    cells = cell[first]
    larger = cell_kind(cells) == _KINDS_THAT_TAKE_THE_LARGER
    if larger.any():
        total[larger] = np.maximum.reduceat(values, starts)[larger]
    kept = total != 0
    kept |= larger
    return Cells(pane[first][kept], cells[kept], total[kept])


def _ordered_groups(pane: Keys, cell: Keys) -> tuple[Ints, npt.NDArray[np.intp]]:
    """Return one number a (pane, cell), sorted, and the order that sorts it; pane decides first."""
    panes, pane_index = np.unique(pane, return_inverse=True)
    cells, cell_index = np.unique(cell, return_inverse=True)
    group = pane_index.astype(np.int64) * len(cells) + cell_index
    order = np.argsort(group, kind="stable")
    return group[order], order


STORED_CELL = np.dtype([("cell", "<u8"), ("value", "<f8")])


def pack_cells(cells: Cells) -> tuple[Keys, list[bytes]]:
    """Return the distinct panes, and for each of them its cells as bytes."""
    stored = np.empty(len(cells), dtype=STORED_CELL)
    stored["cell"], stored["value"] = cells.cell, cells.value
    starts = np.flatnonzero(np.append(True, cells.pane[1:] != cells.pane[:-1])) if len(cells) else np.zeros(0, dtype=np.int64)
    data = stored.tobytes()
    bounds = (np.append(starts, len(cells)) * STORED_CELL.itemsize).tolist()
    return cells.pane[starts], [data[start:end] for start, end in zip(bounds[:-1], bounds[1:])]


def unpack_cells(pane: Keys, values: list[bytes | None]) -> Cells:
    """Return the stored cells of `pane`; None stands for a pane that is not stored."""
    lengths = np.array([0 if value is None else len(value) for value in values], dtype=np.int64) // STORED_CELL.itemsize
    stored = np.frombuffer(b"".join([value for value in values if value]), dtype=STORED_CELL)
    return Cells(np.repeat(pane, lengths), stored["cell"].copy(), stored["value"].copy())
