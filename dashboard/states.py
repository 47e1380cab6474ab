"""When a number is a warning or critical, and since when: built-in rules, without configuration.

Each rule looks at one series and grades each of its windows 0 (ok), 1 (warning) or 2 (critical),
by the bound of the 95 % interval that speaks for the model, so that few events raise nothing. A
grade begins with two windows in a row that have at least it; three better ones in a row end it.
docs/dashboard.md tells the rules to operators: change both.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np

from dashboard.series import NO_POINTS, Floats, Ints, Points
from schemas.metrics import WINDOW_LENGTH_MS, Category

Series = Mapping[tuple[str, str, str], Points]
"""The fleet's series of one model by (window, dimension, metric)."""

ENOUGH = 30
"""A window with fewer events is not judged."""
TO_BEGIN, TO_END = 2, 3
"""So many windows in a row begin a state, and so many better ones end it: soon seen, and no flicker."""
_NEWEST = 5
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_HOURS_FOR_MEDIAN = 3


class State(enum.StrEnum):
    """The state of a model in one category, in the order of attention."""

    CRITICAL = "critical"
    WARNING = "warning"
    STALE = "stale"
    NO_DATA = "no data"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a number begins to be a warning, and to be critical; NaN where the rule has no such grade. `above` is where it is bad."""

    warning: float = float("nan")
    critical: float = float("nan")
    above: bool = True


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: the grade now, since when (ms), whether it may be longer (`open_start`), the usual value (or NaN), its limits."""

    metric: str
    dimension: str
    grade: int
    since_ms: int
    open_start: bool
    reason: str
    usual: float
    limits: Limits = NO_LIMITS


def judged_window(series: Series, metric: str, dimension: str = "") -> Points:
    """Return the points with enough events of the finest window whose newest points have them."""
    for window in ("10s", "1m", "1h"):
        points = series.get((window, dimension, metric), NO_POINTS)
        if len(points) and median(points.n[-_NEWEST:].tolist()) >= ENOUGH:
            enough = points.n >= ENOUGH
            return points if enough.all() else points.where(enough)
    return NO_POINTS


def day_median(series: Series, metric: str, dimension: str = "") -> float:
    """Return the median of the last 24 hours without the newest hour; NaN with less than three hours."""
    points = series.get(("1h", dimension, metric), NO_POINTS)
    if not len(points):
        return float("nan")
    newest = points.times[-1]
    past = points.value[(points.times < newest) & (points.times >= newest - _DAY_MS)]
    return float(median(past.tolist())) if len(past) >= _HOURS_FOR_MEDIAN else float("nan")


def hold(grades: Ints, times: Ints) -> tuple[int, int, bool]:
    """Return the grade now, when its run began (ms), and whether it may have begun before the first window.

    `grades` and `times` (window starts) are of equal length, at least 1.
    """
    current, since, open_start = 0, int(times[0]), True
    if not grades.any():
        return current, since, open_start
    listed = grades.tolist()
    for at in range(1, len(listed)):
        worse = min(listed[at - TO_BEGIN + 1 : at + 1])
        better = max(listed[at - TO_END + 1 : at + 1]) if at + 1 >= TO_END else current
        if worse > current:
            first = at - TO_BEGIN + 1
            current, since, open_start = worse, int(times[first]), first == 0
        elif better < current:
            current, since, open_start = better, int(times[at - TO_END + 1]), False
    return current, since, open_start


Limit = tuple[float, float]
"""A fixed value, and a multiple of the day's median: the larger one holds."""


def above(series: Series, metric: str, dimension: str, *, warning: Limit, critical: Limit, text: str) -> Finding | None:
    """Grade a series for which more is worse. A limit that is a multiple alone says nothing without a median."""
    points = judged_window(series, metric, dimension)
    if not len(points):
        return None
    usual = day_median(series, metric, dimension)
    limits = [max(fixed, 0.0 if np.isnan(usual) else times * usual) for fixed, times in (warning, critical)]
    if np.isnan(usual) and warning[0] == 0:
        return Finding(metric, dimension, 0, int(points.times[0]), True, "", usual)
    sure = np.where(np.isnan(points.low), points.value, points.low)
    grades = (sure > limits[0]).astype(np.int64) + (sure > limits[1])
    return _finding(
        metric, dimension, grades, points.times, "above its limit" if np.isnan(usual) else text, usual, Limits(limits[0], limits[1])
    )


def below(series: Series, metric: str, dimension: str, *, warning: float, critical: float, text: str, usual: float) -> Finding | None:
    """Grade a series for which less is worse: limits are absolute; `usual` NaN means that nothing can be said yet."""
    points = judged_window(series, metric, dimension)
    if not len(points):
        return None
    if np.isnan(usual):
        return Finding(metric, dimension, 0, int(points.times[0]), True, "", usual)
    sure = np.where(np.isnan(points.high), points.value, points.high)
    grades = (sure < warning).astype(np.int64) + (sure < critical)
    return _finding(metric, dimension, grades, points.times, text, usual, Limits(warning, critical, above=False))


def fewer_than_yesterday(series: Series) -> Finding | None:
    """Grade throughput against the same hour a day before: below a quarter of it is a warning."""
    points = judged_window(series, "throughput_per_s")
    hours = series.get(("1h", "", "throughput_per_s"), NO_POINTS)
    if not len(points) or not len(hours):
        return None
    expected = _value_at(hours, (points.times - _DAY_MS) // _HOUR_MS * _HOUR_MS)
    grades = (points.value < 0.25 * expected).astype(np.int64)
    usual = float(expected[-1])
    limits = Limits(0.25 * usual, above=False)
    return _finding("throughput_per_s", "", grades, points.times, "less than a quarter of the same hour yesterday", usual, limits)


def uplift_below_zero(series: Series, variant: str) -> Finding | None:
    """Grade a variant: its seven-day uplift's interval lies wholly below zero."""
    points = series.get(("7d", variant, "conversion_rate_uplift"), NO_POINTS)
    if not len(points):
        return None
    grades = (points.high < 0).astype(np.int64)
    ends = points.times + WINDOW_LENGTH_MS["7d"]
    return _finding("conversion_rate_uplift", variant, grades, ends, "converts worse than control, 95 % sure", float("nan"))


def findings(category: Category, series: Series) -> list[Finding]:
    """Return what the rules of one side of a model find; a rule that has nothing to look at finds nothing."""
    return [finding for finding in _judged(category, series) if finding is not None]


def dimensions(series: Series, metric: str) -> list[str]:
    """Return the dimensions that a metric has, sorted."""
    return sorted({dimension for _, dimension, name in series if name == metric})


def _judged(category: Category, series: Series) -> Iterator[Finding | None]:
    if category is Category.PERFORMANCE:
        rolling = series.get(("7d", "", "f1_score_rolling_7d"), NO_POINTS)
        usual = float(rolling.value[-1]) if len(rolling) else float("nan")
        yield below(series, "f1_score", "", warning=usual - 0.03, critical=usual - 0.10, usual=usual, text="below the seven-day F1")
        yield above(series, "rmse", "", warning=(0, 1.25), critical=(0, 1.6), text="above the day's median")
    elif category is Category.OPERATIONAL:
        yield above(series, "error_rate", "", warning=(0.02, 2), critical=(0.1, 5), text="above the day's median")
        yield above(series, "latency_p99_ms", "", warning=(0, 1.5), critical=(0, 3), text="above the day's median")
        yield fewer_than_yesterday(series)
    elif category is Category.DATA_QUALITY:
        for dimension in reversed(dimensions(series, "input_null_percentage")):
            yield above(series, "input_null_percentage", dimension, warning=(5, 3), critical=(20, 10), text="above the day's median")
    else:
        for variant in dimensions(series, "conversion_rate_uplift"):
            yield uplift_below_zero(series, variant)
        usual = day_median(series, "conversion_rate")
        yield below(series, "conversion_rate", "", warning=0.7 * usual, critical=0.5 * usual, usual=usual, text="below the day's median")


def _finding(metric: str, dimension: str, grades: Ints, times: Ints, text: str, usual: float, limits: Limits = NO_LIMITS) -> Finding:
    grade, since, open_start = hold(grades, times)
    return Finding(metric, dimension, grade, since, open_start, text if grade else "", usual, limits)


def _value_at(points: Points, times: Ints) -> Floats:
    at = np.searchsorted(points.times, times)
    at = np.minimum(at, len(points) - 1)
    return np.where(points.times[at] == times, points.value[at], np.nan)


def usual_gap_ms(series: Series) -> float:
    """Return the usual time between two windows with data, from minutes or else hours; 0 when unknown."""
    for window in ("1m", "1h"):
        times = series.get((window, "", "prediction_volume"), NO_POINTS).times
        if len(times) > 2:
            return float(np.median(np.diff(times)))
    return 0.0
