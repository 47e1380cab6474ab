"""How long the answers took: mean, quantiles, maximum, histogram."""

from __future__ import annotations

import numpy as np

from pipeline.cells import RELATIVE_ACCURACY, Floats, Ints, Kind, bucket_values, cell_a
from pipeline.metrics.histogram import histogram_rows
from pipeline.metrics.order_statistics import bounding_ranks, quantile_rank
from pipeline.metrics.rows import Rows
from pipeline.metrics.selection import Cells, Selection

PERCENTS = (50, 90, 95, 99)


def latency_rows(cells: Selection) -> list[Rows]:
    """Return latency_avg_ms, the quantiles with order-statistic bounds, latency_max_ms, all in milliseconds, and latency_histogram."""
    buckets = cells.counts(Kind.LATENCY)
    total = cells.totals(buckets)
    pane = np.flatnonzero(total)
    n = total[pane]
    count = n.astype(np.int64)
    largest = cells.measure(Kind.LATENCY_MAX)[pane]
    ordered = _OrderedLatencies(buckets, count)
    rows = [Rows("latency_avg_ms", pane, cells.measure(Kind.LATENCY_SUM)[pane] / n, n)]
    for percent in PERCENTS:
        # A bucket's value may lie above all latencies in it, the largest one never does.
        value = np.minimum(ordered.value(quantile_rank(percent, count)), largest)
        low, high = _bounds(ordered, percent, count)
        bounds = (np.minimum(low, value), np.minimum(high, largest))
        rows.append(Rows(f"latency_p{percent}_ms", pane, value, n, bounds))
    rows.append(Rows("latency_max_ms", pane, largest, n))
    rows.append(histogram_rows(buckets, cells.batch, total))
    return rows


class _OrderedLatencies:
    """The latencies of all panes in ascending order, as running counts over their buckets.

    `count` has the number of latencies of each pane that has any, in the order of the panes.
    """

    def __init__(self, buckets: Cells, count: Ints) -> None:
        self._key = buckets.key
        self._running = np.cumsum(buckets.value.astype(np.int64))
        self._before = np.cumsum(count) - count

    def value(self, rank: Ints) -> Floats:
        """Return the latency of each pane that has `rank`, from 1 to its count, as its bucket's value."""
        buckets = cell_a(self._key[np.searchsorted(self._running, self._before + rank)])
        # The value of the last bucket is beyond float64; callers cap it by the largest latency.
        with np.errstate(over="ignore"):
            return bucket_values(buckets)


def _bounds(ordered: _OrderedLatencies, percent: int, count: Ints) -> tuple[Floats, Floats]:
    """Return the outer edges of the buckets of the order statistics that bound the quantile, NaN where there is no such one.

    A bucket of value v holds what is above v / 1.01 and at most v / 0.99.
    """
    lower, upper = bounding_ranks(percent, count)
    low = ordered.value(np.maximum(lower, 1)) / (1 + RELATIVE_ACCURACY)
    high = ordered.value(np.minimum(upper, count)) / (1 - RELATIVE_ACCURACY)
    return np.where(lower >= 1, low, np.nan), np.where(upper <= count, high, np.nan)
