"""How many deliveries were repeated, came when their window was final, or were outcomes whose prediction never came."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Kind
from pipeline.metrics.rows import Rows
from pipeline.metrics.selection import Selection

_COUNTED = (("duplicate_predictions", Kind.DUPLICATE), ("late_events", Kind.LATE), ("unmatched_outcomes", Kind.UNMATCHED))


def delivery_rows(cells: Selection) -> list[Rows]:
    """Return the rows of counted deliveries, where there are any; such a pane may have no prediction of its own."""
    rows = []
    for metric, kind in _COUNTED:
        count = cells.count(kind)
        pane = np.flatnonzero(count)
        rows.append(Rows(metric, pane, count[pane], count[pane]))
    return rows
