"""Cells as Hypothesis makes them, and a slow merge to hold the fast one against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from pipeline.cells import Kind, cell_keys, cell_kind
from pipeline.panes import Cells, pane_ids

Entry = tuple[int, int, float]
"""Pane id, cell key, value."""


def pane_id(window: int, start_ms: int, scope: int) -> int:
    """Return one pane id."""
    return int(pane_ids(window, np.array([start_ms], dtype=np.int64), np.array([scope], dtype=np.int64))[0])


def _key(kind: Kind, a: int) -> int:
    return int(cell_keys(kind, a))


PANES = st.builds(pane_id, st.integers(0, 1), st.sampled_from([0, 60_000, 1_773_485_220_000]), st.integers(0, 3))
# Whole numbers: their sums are exact in any order, so merges can be compared with equality.
COUNTS = st.tuples(PANES, st.builds(_key, st.sampled_from([Kind.KEYS, Kind.LATENCY, Kind.ERROR]), st.integers(0, 3)), st.integers(-3, 3))
LARGEST = st.tuples(PANES, st.just(_key(Kind.LATENCY_MAX, 0)), st.sampled_from([0, 1, 7, 250]))
ENTRIES = st.lists(st.one_of(COUNTS, LARGEST).map(lambda entry: (entry[0], entry[1], float(entry[2]))), max_size=40)


def columns(entries: Sequence[Entry]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return entries as the arguments of `summed`."""
    return (
        np.array([pane for pane, _, _ in entries], dtype=np.uint64),
        np.array([cell for _, cell, _ in entries], dtype=np.uint64),
        np.array([value for _, _, value in entries], dtype=np.float64),
    )


def slowly_merged(entries: Sequence[Entry]) -> list[Entry]:
    """Return what `summed` should: one entry a pair, ascending, without counts of zero."""
    total: dict[tuple[int, int], float] = {}
    for pane, cell, value in entries:
        takes_larger = int(cell_kind(np.array([cell], dtype=np.uint64))[0]) == Kind.LATENCY_MAX
        known = total.get((pane, cell))
        total[pane, cell] = value if known is None else (max(known, value) if takes_larger else known + value)
    largest = _key(Kind.LATENCY_MAX, 0)
    return [(pane, cell, value) for (pane, cell), value in sorted(total.items()) if value != 0 or cell == largest]


def entries_of(cells: Cells) -> list[Entry]:
    """Return cells as entries."""
    return list(zip(cells.pane.tolist(), cells.cell.tolist(), cells.value.tolist(), strict=True))
