"""From merged panes to metric rows: pure functions, one question a file."""

from pipeline.metrics.compute import compute
from pipeline.metrics.rows import METRIC_NAMES
from pipeline.metrics.table import MetricTable, PaneBatch

__all__ = ["METRIC_NAMES", "MetricTable", "PaneBatch", "compute"]
