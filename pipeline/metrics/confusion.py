"""How often which class was predicted for which: the counts themselves, so that any stretch of time has its confusion matrix."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Floats
from pipeline.metrics.rows import Rows, Scope
from pipeline.metrics.selection import Cells
from pipeline.metrics.table import PaneBatch

MOST_PAIRS = 100
"""Ten classes by ten: what a reader takes in, and no more rows than that in a message."""


def confusion_rows(confusion: Cells, batch: PaneBatch, n: Floats) -> Rows:
    """Return a row for each pair of a predicted and an actual class that occurs; `n` are the labelled predictions of each pane.

    In windows of an hour and of a day alone. A pane with more than `MOST_PAIRS` has none.
    """
    pairs = np.bincount(confusion.pane, minlength=batch.count)
    kept = batch.coarse() & (pairs <= MOST_PAIRS)
    cells = confusion.where(kept[confusion.pane])
    pair = cells.a() * len(batch.names.classes) + cells.b()
    return Rows("confusion", cells.pane, cells.value, n[cells.pane], None, Scope.PAIR, pair)
