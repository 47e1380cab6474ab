"""What share of the values sent for a feature were null."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints, Kind
from pipeline.metrics.grouping import Groups, group_sums, sum_by
from pipeline.metrics.intervals import wilson
from pipeline.metrics.rows import Rows, Scope
from pipeline.metrics.selection import Cells, Selection

METRIC = "input_null_percentage"


def null_rows(cells: Selection) -> list[Rows]:
    """Return input_null_percentage (0-100) over all values sent, and for each feature."""
    sent = _sent(cells)
    null_cells = cells.counts(Kind.NULL)
    nulls = group_sums(null_cells.pane, null_cells.a(), null_cells.value).gather(sent.pane, sent.id)
    all_sent = sum_by(sent.pane, sent.total, cells.batch.count)
    all_nulls = sum_by(sent.pane, nulls, cells.batch.count)
    pane = np.flatnonzero(all_sent)
    return [
        _percentage(pane, all_nulls[pane], all_sent[pane], Scope.WHOLE, None),
        _percentage(sent.pane, nulls, sent.total, Scope.FEATURE, sent.id),
    ]


def _percentage(pane: Ints, nulls: Floats, sent: Floats, scope: Scope, name: Ints | None) -> Rows:
    low, high = wilson(nulls, sent)
    return Rows(METRIC, pane, 100 * nulls / sent, sent, (100 * low, 100 * high), scope, name)


def _sent(cells: Selection) -> Groups:
    """Return how many values each pane was sent for each feature."""
    keys = cells.counts(Kind.KEYS)
    pane, feature, value = _expanded(keys, cells.batch.names.key_sets)
    beyond = cells.counts(Kind.SENT)
    if beyond.pane.size:
        pane, feature = np.concatenate((pane, beyond.pane)), np.concatenate((feature, beyond.a()))
        value = np.concatenate((value, beyond.value))
    return group_sums(pane, feature, value)


def _expanded(keys: Cells, key_sets: list[npt.NDArray[np.int64]]) -> tuple[Ints, Ints, Floats]:
    """Return (pane, feature, predictions) for each feature of the key set of each of the KEYS cells."""
    used, key_set = np.unique(keys.a(), return_inverse=True)
    members = [key_sets[index] for index in used.tolist()]
    sizes = np.array([member.size for member in members], dtype=np.int64)
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *members])
    start = np.cumsum(sizes) - sizes
    repeats = sizes[key_set]
    cell = np.repeat(np.arange(keys.pane.size), repeats)
    within = np.arange(cell.size) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return keys.pane[cell], flat[start[key_set[cell]] + within], keys.value[cell]
