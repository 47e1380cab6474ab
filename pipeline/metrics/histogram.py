"""How many answers took how long, coarsely: so that the latencies of any stretch of time can be drawn, not their quantiles alone."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Floats, latency_buckets
from pipeline.metrics.grouping import group_sums
from pipeline.metrics.rows import Rows, Scope
from pipeline.metrics.selection import Cells
from pipeline.metrics.table import PaneBatch
from schemas.metrics import LATENCY_EDGES_MS


def histogram_rows(buckets: Cells, batch: PaneBatch, n: Floats) -> Rows:
    """Return a row for each interval between the edges that holds any latency; `n` are the latencies of each pane.

    In windows of an hour and of a day alone. A fine bucket goes where its upper end does, so an edge is the first such end at or above it:
    a latency of exactly an edge lies below it, as all do, and at most one that is 2 % above it does as well.
    """
    cells = buckets.where(batch.coarse()[buckets.pane])
    interval = np.searchsorted(latency_buckets(np.array(LATENCY_EDGES_MS)), cells.a())
    counts = group_sums(cells.pane, interval, cells.value)
    return Rows("latency_histogram", counts.pane, counts.total, n[counts.pane], None, Scope.INTERVAL, counts.id)
