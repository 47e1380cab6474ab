"""What share of the values sent for a feature were null."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Floats, Ints, Kind
from pipeline.metrics.grouping import Groups, group_sums, spread, sum_by
from pipeline.metrics.intervals import wilson
from pipeline.metrics.rows import Rows, Scope
from pipeline.metrics.selection import Selection

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
    cell, feature = spread(keys.a(), cells.batch.names.key_sets)
    pane, value = keys.pane[cell], keys.value[cell]
    beyond = cells.counts(Kind.SENT)
    if beyond.pane.size:
        pane, feature = np.concatenate((pane, beyond.pane)), np.concatenate((feature, beyond.a()))
        value = np.concatenate((value, beyond.value))
    return group_sums(pane, feature, value)
