"""All metrics of many panes at once."""

from __future__ import annotations

from pipeline.cells import Kind
from pipeline.metrics.classification import classification_rows
from pipeline.metrics.conversion import conversion_rows
from pipeline.metrics.coverage import coverage_rows
from pipeline.metrics.deliveries import delivery_rows
from pipeline.metrics.latency import latency_rows
from pipeline.metrics.nulls import null_rows
from pipeline.metrics.regression import regression_rows
from pipeline.metrics.revenue import revenue_rows
from pipeline.metrics.rows import assemble
from pipeline.metrics.selection import select
from pipeline.metrics.table import MetricTable, PaneBatch
from pipeline.metrics.volume import volume_rows


def compute(batch: PaneBatch) -> MetricTable:
    """Return the metric rows of all panes of `batch`: one wherever its `n` > 0, grouped by pane.

    The rows of a pane depend on nothing but its own cells, so how panes are batched changes no number.
    """
    cells = select(batch)
    # Every prediction has a key set, be it the empty one.
    volume = cells.count(Kind.KEYS)
    blocks = [
        *volume_rows(cells, volume),
        *latency_rows(cells),
        *null_rows(cells),
        *classification_rows(cells),
        *coverage_rows(cells, volume),
        *regression_rows(cells),
        *conversion_rows(cells),
        *revenue_rows(cells, volume),
        *delivery_rows(cells),
    ]
    return assemble(blocks, batch.names)
