"""What a tile says beside its number, so that the number is read rightly: how much of it is labelled, how much traffic it is of."""

from __future__ import annotations

import numpy as np

from dashboard import states
from dashboard.format import SPACE, number, style_of
from dashboard.series import NO_POINTS, Points
from dashboard.states import Series
from schemas.metrics import Category


def beside(category: Category, series: Series, shown: str, dimension: str) -> str:
    """Return the second line of a tile whose number is of the metric `shown` and that dimension; "" where there is nothing to say."""
    if category is Category.PERFORMANCE:
        parts = [_said(_newest(series, "7d", "label_coverage"), "label_coverage", "labelled")]
    elif category is Category.OPERATIONAL:
        said = {"latency_p99_ms": "", "throughput_per_s": "", "error_rate": "errors"}
        parts = [_said(_judged(series, metric), metric, word) for metric, word in said.items() if metric != shown]
    elif category is Category.DATA_QUALITY:
        everywhere = _said(_judged(series, "input_null_percentage"), "input_null_percentage", "over all features")
        parts = [everywhere if dimension else _most_nulls(series)]
    else:
        parts = [
            _said(_judged(series, "conversion_rate"), "conversion_rate", "convert") if shown != "conversion_rate" else "",
            _said(_newest(series, "1h", "revenue"), "revenue", "an hour") if shown != "revenue" else "",
        ]
    return " \u00b7 ".join(part for part in parts if part)


def _said(value: float, metric: str, word: str) -> str:
    if np.isnan(value):
        return ""
    written = SPACE.join(part for part in number(value, style_of(metric)) if part)
    name = {"latency_p99_ms": "p99 ", "revenue": "revenue "}.get(metric, "")
    return f"{name}{written} {word}".rstrip()


def _judged(series: Series, metric: str) -> float:
    """Return the newest value of the finest window with enough events."""
    return _last(states.judged_window(series, metric))


def _newest(series: Series, window: str, metric: str) -> float:
    """Return the newest value of a rolling window, or of the last whole one of another kind."""
    points = series.get((window, "", metric), NO_POINTS)
    return _last(points if window == "7d" else points.where(points.final))


def _last(points: Points) -> float:
    return float(points.value[-1]) if len(points) else float("nan")


def _most_nulls(series: Series) -> str:
    """Name the feature with the largest share of nulls, where there are several."""
    metric = "input_null_percentage"
    features = [dimension for dimension in states.dimensions(series, metric) if dimension]
    shares = {feature: _last(states.judged_window(series, metric, feature)) for feature in features}
    some = [feature for feature, share in shares.items() if share > 0]  # neither none nor too few to say
    if len(features) < 2 or not some:
        return ""
    worst = max(some, key=lambda feature: shares[feature])
    return f"most in {worst.partition('=')[2]}: {SPACE.join(number(shares[worst], style_of(metric)))}"
