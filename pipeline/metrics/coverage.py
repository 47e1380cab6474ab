"""What share of the predictions has a label."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Floats, Kind
from pipeline.metrics.intervals import wilson
from pipeline.metrics.rows import Rows
from pipeline.metrics.selection import Selection


def coverage_rows(cells: Selection, volume: Floats) -> list[Rows]:
    """Return label_coverage, of `volume` predictions in each pane."""
    pane = np.flatnonzero(volume)
    n = volume[pane]
    labelled = cells.count(Kind.LABELLED)[pane]
    return [Rows("label_coverage", pane, labelled / n, n, wilson(labelled, n))]
