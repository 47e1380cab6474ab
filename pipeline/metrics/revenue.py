"""What revenue came of the predictions."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Floats, Kind
from pipeline.metrics.rows import Rows
from pipeline.metrics.selection import Selection


def revenue_rows(cells: Selection, volume: Floats) -> list[Rows]:
    """Return revenue, and revenue_per_prediction over the `volume` of each pane, where any revenue is known."""
    count = cells.count(Kind.REVENUE_COUNT)
    revenue = cells.measure(Kind.REVENUE)
    pane = np.flatnonzero(count)
    served = np.flatnonzero((count > 0) & (volume > 0))
    return [
        Rows("revenue", pane, revenue[pane], count[pane]),
        Rows("revenue_per_prediction", served, revenue[served] / volume[served], volume[served]),
    ]
