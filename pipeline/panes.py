"""Panes: their ids, and the arithmetic of their cells.

A pane id packs (window, start, scope) into 61 bits, windows and times first, so that ids ascend with time and
what is past its retention is one range.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas

from pipeline.cells import Floats, Ints, Keys, Kind, cell_kind
from pipeline.store import items_bytes
from schemas.metrics import ROLLING, TUMBLING, WINDOW_LENGTH_MS

WINDOWS = (*TUMBLING, ROLLING)
LENGTH_MS = np.array([WINDOW_LENGTH_MS[name] for name in WINDOWS], dtype=np.int64)
ROLLING_INDEX = WINDOWS.index(ROLLING)
SCOPE_BITS = 27
START_BITS = 31
START_UNIT_MS = 10_000
_KIND_THAT_TAKES_THE_LARGER = int(Kind.LATENCY_MAX)
_BELOW_ALL = -np.inf
_DENSE = 8
"""A table of groups is used while it has at most so many entries a row."""


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


def with_scope(ids: Keys, scope: Ints) -> Keys:
    """Return the ids of the same windows for other scopes."""
    return (ids & ~np.uint64((1 << SCOPE_BITS) - 1)) | scope.astype(np.uint64)


def key_bytes(ids: Keys) -> list[bytes]:
    """Return ids as 8 big-endian bytes each, so that their order on disk is their order."""
    return items_bytes(ids.astype(">u8"))


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of many panes, ascending by pane and then by cell, each pair once: columns pane, cell, value."""

    pane: Keys
    cell: Keys
    value: Floats

    def __len__(self) -> int:
        return len(self.pane)


Coded = tuple[Keys, Ints]
"""A column as its distinct values, ascending, and for each row the position of its value there."""
NO_CELLS = Cells(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint64), np.zeros(0))


def summed(pane: Keys, cell: Keys, value: Floats) -> Cells:
    """Return the cells with those of equal (pane, cell) put together; cells that come to zero are dropped.

    This is the merge of panes: merge(a, b) = summed(a + b).
    """
    if not len(pane):
        return NO_CELLS
    return summed_codes(coded(pane), coded(cell), value)


def summed_codes(pane: Coded, cell: Coded, value: Floats) -> Cells:
    """Return `summed` of columns that are coded already."""
    (panes, pane_code), (cells, cell_code) = pane, cell
    group = pane_code * len(cells) + cell_code
    takes_larger = cell_kind(cells) == _KIND_THAT_TAKES_THE_LARGER
    if len(panes) * len(cells) <= _DENSE * len(value):
        groups, total = _dense_groups(group, value, len(panes) * len(cells), takes_larger[cell_code])
    else:
        groups, total = _sorted_groups(group, value, takes_larger)
    kept = (total != 0) | takes_larger[groups % len(cells)]
    groups = groups[kept]
    return Cells(panes[groups // len(cells)], cells[groups % len(cells)], total[kept])


def merge(parts: Sequence[Cells]) -> Cells:
    """Return the merge of several sets of cells, which need not be in order."""
    return summed(*(np.concatenate([getattr(part, name) for part in parts]) for name in Cells.__slots__))


def coded(values: Keys) -> Coded:
    """Return the distinct values, ascending, and for each value its position there; hashing is five times faster than sorting here."""
    codes, distinct = pandas.factorize(values)
    order = np.argsort(distinct)
    rank = np.empty(len(distinct), dtype=np.int64)
    rank[order] = np.arange(len(distinct))
    return distinct[order], rank[codes]


def _dense_groups(group: Ints, value: Floats, count: int, takes_larger: npt.NDArray[np.bool_]) -> tuple[Ints, Floats]:
    """Sum by counting into a table of all groups: for few panes with many events."""
    total: Floats = np.bincount(group, value, count).astype(np.float64, copy=False)
    if takes_larger.any():
        rows = group[takes_larger]
        total[rows] = _BELOW_ALL
        np.maximum.at(total, rows, value[takes_larger])
    present = np.flatnonzero(np.bincount(group, minlength=count))
    return present, total[present]


def _sorted_groups(group: Ints, value: Floats, takes_larger: npt.NDArray[np.bool_]) -> tuple[Ints, Floats]:
    """Sum runs of equal groups: for many panes with few events each."""
    order = np.argsort(group, kind="stable")
    group, value = group[order], value[order]
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    groups, total = group[starts], np.add.reduceat(value, starts)
    larger = takes_larger[groups % len(takes_larger)]
    if larger.any():
        total[larger] = np.maximum.reduceat(value, starts)[larger]
    return groups, total


STORED_CELL = np.dtype([("cell", "<u8"), ("value", "<f8")])


def pack_cells(cells: Cells) -> tuple[Keys, list[bytes]]:
    """Return the distinct panes, and for each of them its cells as bytes."""
    stored = np.empty(len(cells), dtype=STORED_CELL)
    stored["cell"], stored["value"] = cells.cell, cells.value
    starts = np.flatnonzero(np.append(True, cells.pane[1:] != cells.pane[:-1])) if len(cells) else np.zeros(0, dtype=np.int64)
    data = stored.tobytes()
    bounds = (np.append(starts, len(cells)) * STORED_CELL.itemsize).tolist()
    return cells.pane[starts], [data[start:end] for start, end in itertools.pairwise(bounds)]


def unpack_cells(pane: Keys, values: list[bytes | None]) -> Cells:
    """Return the stored cells of `pane`; None stands for a pane that is not stored."""
    lengths = np.array([0 if value is None else len(value) for value in values], dtype=np.int64) // STORED_CELL.itemsize
    stored = np.frombuffer(b"".join([value for value in values if value]), dtype=STORED_CELL)
    return Cells(np.repeat(pane, lengths), stored["cell"].copy(), stored["value"].copy())
