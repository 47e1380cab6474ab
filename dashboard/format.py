"""Numbers and lengths of time as people read them. `assets/numbers.js` says the same in the browser; a test compares them."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

STYLES: dict[str, str] = {
    "error_rate": "percent",
    "label_coverage": "percent",
    "conversion_rate": "percent",
    "conversion_rate_uplift": "points",
    "conversion_rate_uplift_relative": "percent",
    "input_null_percentage": "percentage",
    "accuracy": "score",
    "precision": "score",
    "recall": "score",
    "f1_score": "score",
    "f1_score_rolling_7d": "score",
    "mae": "plain",
    "rmse": "plain",
    "throughput_per_s": "rate",
    "revenue": "plain",
    "revenue_per_prediction": "plain",
    "prediction_volume": "count",
    "confusion": "count",
    "latency_histogram": "count",
    "duplicate_predictions": "count",
    "unmatched_outcomes": "count",
    "late_events": "count",
}
MINUS, SPACE = "\u2212", "\u202f"
"""A real minus sign, as wide as a plus; a narrow space that does not break."""
_WIDE = Context(prec=400, rounding=ROUND_HALF_UP)
"""Has room for every float."""


class Text(NamedTuple):
    """A number and its unit, which may be empty."""

    number: str
    unit: str


def style_of(metric: str) -> str:
    """Return how a metric's values are written; see `number`."""
    return STYLES.get(metric, "ms" if metric.startswith("latency_") else "plain")


def number(value: float, style: str) -> Text:
    """Write a value.

    Styles: `percent` (0-1 shown as %), `percentage` (0-100), `points` (a difference of shares, in percentage points with its sign),
    `score` (0-1 with three digits), `ms` (milliseconds, seconds from 1000 on), `rate` (per second), `count`, `plain`.
    """
    if math.isnan(value):
        return Text("\u2013", "")
    if style in ("percent", "percentage"):
        share = value * 100 if style == "percent" else value
        return Text(_digits(share, 2 if 0 < abs(share) < 1 else 1), "%")
    if style == "points":
        return Text(("+" if value > 0 else "") + _digits(value * 100, 1), "pp")
    if style == "score":
        return Text(_digits(value, 3), "")
    if style == "ms":
        return Text(_significant(value / 1000), "s") if abs(value) >= 1000 else Text(_significant(value), "ms")
    if style == "count":
        return Text(_large(value, 0), "")
    return Text(_large(value, None), "/s" if style == "rate" else "")


def age(milliseconds: float) -> str:
    """Write how old something is, in its largest whole unit: `8 s`, `12 min`, `3 h`, `5 d`."""
    seconds = max(0.0, milliseconds) / 1000
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{math.floor(seconds / length)}{SPACE}{unit}"
    return f"{math.floor(seconds)}{SPACE}s"


def _digits(value: float, digits: int) -> str:
    # As browsers round: half up, and by the digits that the number is written with, not by its binary value.
    exact = Decimal(repr(float(abs(value)))).quantize(Decimal(1).scaleb(-digits), context=_WIDE)
    text = f"{exact:,f}"
    return (MINUS if value < 0 and float(text.replace(",", "")) != 0 else "") + text


def _significant(value: float) -> str:
    """Three significant digits below 100, whole numbers above, thousands separated."""
    size = abs(value)
    return _digits(value, 0 if size >= 99.5 else 1 if size >= 9.95 else 2)


def _large(value: float, digits: int | None) -> str:
    size = abs(value)
    if size >= 999_500:
        return _significant(value / 1e6) + SPACE + "M"
    return _significant(value) if digits is None else _digits(value, digits)
