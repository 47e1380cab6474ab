"""How far numeric predictions are from their labels."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Kind
from pipeline.metrics.intervals import mean_bounds
from pipeline.metrics.rows import Rows
from pipeline.metrics.selection import Selection


def regression_rows(cells: Selection) -> list[Rows]:
    """Return mae with its normal interval, and rmse.

    An interval of rmse needs the fourth moment of the errors, or the assumption that they are normal; a pane has neither.
    """
    count = cells.count(Kind.ERROR_COUNT)
    pane = np.flatnonzero(count)
    n = count[pane]
    mean_absolute = np.maximum(cells.measure(Kind.ERROR_ABSOLUTE)[pane] / n, 0.0)
    mean_square = np.maximum(cells.measure(Kind.ERROR_SQUARED)[pane] / n, 0.0)
    return [
        Rows("mae", pane, mean_absolute, n, mean_bounds(mean_absolute, mean_square, n)),
        Rows("rmse", pane, np.sqrt(mean_square), n),
    ]
