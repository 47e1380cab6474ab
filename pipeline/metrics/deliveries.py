"""How many deliveries were repeated, or came when their window was final."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Kind
from pipeline.metrics.rows import Rows
from pipeline.metrics.selection import Selection


def delivery_rows(cells: Selection) -> list[Rows]:
    """Return duplicate_predictions and late_events, where there are any; such a pane may have no prediction of its own."""
    rows = []
    for metric, kind in (("duplicate_predictions", Kind.DUPLICATE), ("late_events", Kind.LATE)):
        count = cells.count(kind)
        pane = np.flatnonzero(count)
        rows.append(Rows(metric, pane, count[pane], count[pane]))
    return rows
