"""How many predictions, how fast, and what share of them failed."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Floats, Kind
from pipeline.metrics.intervals import wilson
from pipeline.metrics.rows import Rows
from pipeline.metrics.selection import Selection


def volume_rows(cells: Selection, volume: Floats) -> list[Rows]:
    """Return prediction_volume, throughput_per_s and error_rate, of `volume` predictions in each pane."""
    pane = np.flatnonzero(volume)
    n = volume[pane]
    errors = cells.count(Kind.ERROR)[pane]
    return [
        Rows("prediction_volume", pane, n, n),
        Rows("throughput_per_s", pane, n / cells.batch.elapsed_s[pane], n),
        Rows("error_rate", pane, errors / n, n, wilson(errors, n)),
    ]
