"""How a number has changed since yesterday, as a tile says it."""

from __future__ import annotations

import numpy as np

from dashboard.format import MINUS, SPACE, number, style_of
from dashboard.series import NO_POINTS, Points
from dashboard.states import Series

DAY_MS = 86_400_000
ROLLING_METRICS = ("f1_score_rolling_7d", "rmse", "conversion_rate_uplift")
"""A tile shows these over seven days, the others over the finest window with enough events."""
_AS_BEFORE = "as yesterday"


def change(series: Series, metric: str, dimension: str) -> str:
    """Return the newest whole hour against the same hour yesterday, rolling metrics by their newest windows; "" where one is missing.

    Where the two 95 % intervals overlap, or the difference would be written as 0, nothing is surely different.
    """
    rolling = metric in ROLLING_METRICS
    points = series.get(("7d" if rolling else "1h", dimension, metric), NO_POINTS)
    points = points if rolling else _whole(points)
    if not len(points):
        return ""
    before = np.flatnonzero(points.times == points.times[-1] - DAY_MS)
    if not len(before):
        return ""
    then, now = int(before[0]), len(points) - 1
    if points.low[now] <= points.high[then] and points.low[then] <= points.high[now]:
        return _AS_BEFORE
    text = _difference(float(points.value[now]), float(points.value[then]), style_of(metric))
    if not text:
        return ""
    return f"{text} vs yesterday" if any(digit in text for digit in "123456789") else _AS_BEFORE


def _whole(points: Points) -> Points:
    """Return the hours whose window is final: one that is open compares to nothing."""
    return points.where(points.final)


def _difference(now: float, then: float, style: str) -> str:
    """Write a difference: of scores as it is, of shares in percentage points, of everything else in percent of what it was."""
    if style == "score":
        return _signed(now - then, number(abs(now - then), "score").number)
    if style in ("percent", "points"):
        return _signed(now - then, SPACE.join(number(abs(now - then), "points")).lstrip("+"))
    if style == "percentage":
        return _signed(now - then, SPACE.join(number(abs(now - then) / 100, "points")).lstrip("+"))
    if not then:
        return ""
    share = now / then - 1
    return _signed(share, f"{abs(share) * 100:,.0f}{SPACE}%")


def _signed(difference: float, text: str) -> str:
    return (MINUS if difference < 0 else "+") + text
