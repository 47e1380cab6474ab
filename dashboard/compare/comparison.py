"""The differences of two sides: how large, how sure, and which of them are beyond noise."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dashboard.compare.intervals import Difference, Value, beyond_together, difference
from dashboard.compare.pooling import Column
from dashboard.format import style_of
from schemas.metrics import METRICS

_LOWER_IS_BETTER = {
    *(name for name in METRICS if name.startswith("latency_")),
    *("error_rate", "input_null_percentage", "mae", "rmse", "duplicate_predictions", "late_events", "unmatched_outcomes"),
}
_HIGHER_IS_BETTER = {
    *("accuracy", "precision", "recall", "f1_score", "conversion_rate", "conversion_rate_uplift", "conversion_rate_uplift_relative"),
    "revenue_per_prediction",
}
_LEFT_OUT = ("f1_score_rolling_7d", "latency_histogram")
"""The F1 of seven days, which `f1_score` of that window is as well, and counts that are there to be drawn."""
_ORDER = ("together", "alone", "within", "")


class Line(msgspec.Struct, frozen=True):
    """One metric of both sides; names came with the data.

    `verdict`: `together` (beyond noise, also among all that are compared), `alone` (its own interval excludes zero), `within` (noise), or
    `""` where there is no interval. `change` says whether b is `better` or `worse` than a, where that is known of the metric.
    """

    metric: str
    dimension: str
    category: str
    style: str
    a: Value | None
    b: Value | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str
    change: str


def compare(a: Mapping[Column, Value], b: Mapping[Column, Value]) -> list[Line]:
    """Return a line for each metric and dimension of either side: what differs most beyond noise first."""
    columns = sorted((metric, dimension) for metric, dimension in {*a, *b} if metric in METRICS and metric not in _LEFT_OUT)
    both = {column: difference(a[column], b[column]) for column in columns if column in a and column in b}
    known = {column: found for column, found in both.items() if found is not None}
    together = dict(zip(known, beyond_together([found.p for found in known.values()]), strict=True))
    lines = []
    for column in columns:
        found = known.get(column)
        verdict = "" if found is None else "within" if not found.beyond else "together" if together[column] else "alone"
        lines.append((_line(column, a.get(column), b.get(column), found, verdict), found))
    return [line for line, _ in sorted(lines, key=_rank)]


def _rank(pair: tuple[Line, Difference | None]) -> tuple[int, float, int, str]:
    line, found = pair
    return _ORDER.index(line.verdict), found.p if found else 1.0, list(METRICS).index(line.metric), line.dimension


def _line(column: Column, a: Value | None, b: Value | None, found: Difference | None, verdict: str) -> Line:
    metric, dimension = column
    change = ""
    if found is not None and found.beyond and metric in _LOWER_IS_BETTER | _HIGHER_IS_BETTER:
        change = "better" if (found.value < 0) == (metric in _LOWER_IS_BETTER) else "worse"
    plain = b.value - a.value if a and b else None
    return Line(
        metric,
        dimension,
        METRICS[metric].category.value,
        style_of(metric),
        a,
        b,
        found.value if found else plain,
        found.low if found else None,
        found.high if found else None,
        verdict,
        change,
    )
