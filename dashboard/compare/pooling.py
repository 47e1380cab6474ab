"""The values of a stretch of time from those of its windows, for the metrics where that is exact.

Shares come from their pooled counts, `value` times `n`, which are whole numbers; sums add up; means are weighted by what they are
over. Precision, recall, F1 and latency quantiles are no function of the values of their parts: they are known for single windows alone.
What float64 does not hold is no value, as in the pipeline.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from dashboard.compare.intervals import Value, difference, ratio_less_one, wilson
from schemas.metrics import MetricRow

Column = tuple[str, str]
"""(metric, dimension)."""
_SHARES = {"error_rate": 1, "accuracy": 1, "label_coverage": 1, "conversion_rate": 1, "input_null_percentage": 100}
"""Shares, and what all is."""
_SUMS = ("prediction_volume", "revenue", "duplicate_predictions", "unmatched_outcomes", "late_events")
_Z = 1.959963984540054
_CONTROL = "variant=control"
UPLIFTS = ("conversion_rate_uplift", "conversion_rate_uplift_relative")
POOLED = {*_SHARES, *_SUMS, *UPLIFTS, "latency_avg_ms", "latency_max_ms", "mae", "rmse", "throughput_per_s", "revenue_per_prediction"}
"""The metrics that a stretch of several windows has."""


def pool(windows: Iterable[Iterable[MetricRow]], seconds: float) -> dict[Column, Value]:
    """Return the values of `seconds` that are made up of the windows, without the metrics that cannot be pooled."""
    rows: dict[Column, list[MetricRow]] = {}
    for window in windows:
        for row in window:
            rows.setdefault((row.metric, row.dimension), []).append(row)
    pooled = {column: _pooled(column[0], parts) for column, parts in rows.items()}
    found = {column: value for column, value in pooled.items() if value is not None and math.isfinite(value.value)}
    _add_ratios(found, seconds)
    _add_errors(found, rows)
    _add_uplifts(found)
    return found


def _pooled(metric: str, parts: list[MetricRow]) -> Value | None:
    n = sum(part.n for part in parts)
    if metric in _SHARES:
        scale = _SHARES[metric]
        share = wilson(sum(round(part.value * part.n / scale) for part in parts), n)
        return Value(share.value * scale, n, *(None if bound is None else bound * scale for bound in (share.low, share.high)))
    if metric in _SUMS:
        return Value(_sum(part.value for part in parts), n)
    if metric == "latency_max_ms":
        return Value(max(part.value for part in parts), n)
    if metric in ("latency_avg_ms", "mae"):
        return Value(_sum(part.value * part.n for part in parts) / n, n)
    if metric == "rmse":
        return Value(math.sqrt(_sum(part.value * part.value * part.n for part in parts) / n), n)
    return None


def _sum(values: Iterable[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def _add_ratios(found: dict[Column, Value], seconds: float) -> None:
    volume, revenue = found.get(("prediction_volume", "")), found.get(("revenue", ""))
    if volume is None:
        return
    found["throughput_per_s", ""] = Value(volume.value / seconds, volume.n)
    if revenue is not None:
        found["revenue_per_prediction", ""] = Value(revenue.value / volume.value, volume.n)


def _add_errors(found: dict[Column, Value], rows: Mapping[Column, list[MetricRow]]) -> None:
    """Give the mean absolute error its normal interval: the mean of the squares is that of the root mean squared error."""
    for (metric, dimension), mean in list(found.items()):
        root = found.get(("rmse", dimension))
        if metric == "mae" and root is not None and mean.n > 1:
            half = _Z * math.sqrt(max(0.0, root.value * root.value - mean.value * mean.value) / (mean.n - 1))
            found[metric, dimension] = Value(mean.value, mean.n, max(0.0, mean.value - half), mean.value + half)


def _add_uplifts(found: dict[Column, Value]) -> None:
    control = found.get(("conversion_rate", _CONTROL))
    if control is None:
        return
    for (metric, dimension), rate in list(found.items()):
        if metric != "conversion_rate" or dimension in ("", _CONTROL):
            continue
        uplift = difference(control, rate)
        assert uplift is not None
        n = control.n + rate.n
        found["conversion_rate_uplift", dimension] = Value(uplift.value, n, uplift.low, uplift.high)
        if control.value and rate.value:
            found["conversion_rate_uplift_relative", dimension] = ratio_less_one(
                (control.value * control.n, control.n), (rate.value * rate.n, rate.n)
            )
        elif control.value:
            found["conversion_rate_uplift_relative", dimension] = Value(-1.0, n)
