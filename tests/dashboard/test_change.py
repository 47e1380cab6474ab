"""What a tile says of yesterday."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dashboard.change import change
from dashboard.series import Points
from tests.dashboard.messages import points


def hours(then: float, now: float, *, margin: float | None = 0.0, window: str = "1h") -> Points:
    """Return 25 hours, the first with one value and the last with the other."""
    return points(window, [then, *[then] * 23, now], margin=margin)


@pytest.mark.parametrize(
    ("metric", "then", "now", "says"),
    [
        ("latency_p99_ms", 100.0, 150.0, "+50\u202f% vs yesterday"),
        ("throughput_per_s", 100.0, 25.0, "\u221275\u202f% vs yesterday"),
        ("f1_score", 0.8, 0.75, "\u22120.050 vs yesterday"),
        ("error_rate", 0.01, 0.05, "+4.0\u202fpp vs yesterday"),
        ("input_null_percentage", 5.0, 1.0, "\u22124.0\u202fpp vs yesterday"),
        ("revenue", 0.0, 10.0, ""),
        ("latency_p99_ms", 1000.0, 1001.0, "as yesterday"),
    ],
)
def test_a_difference_is_told_in_the_metrics_own_terms(metric: str, then: float, now: float, says: str) -> None:
    assert change({("1h", "", metric): hours(then, now)}, metric, "") == says


def test_what_is_not_surely_different_is_as_yesterday() -> None:
    assert change({("1h", "", "error_rate"): hours(0.01, 0.03, margin=0.01)}, "error_rate", "") == "as yesterday"
    assert change({("1h", "", "error_rate"): hours(0.01, 0.03, margin=0.009)}, "error_rate", "") == "+2.0\u202fpp vs yesterday"


def test_a_metric_without_an_interval_is_told_as_it_is() -> None:
    assert change({("1h", "", "revenue"): hours(100, 110, margin=None)}, "revenue", "") == "+10\u202f% vs yesterday"


def test_an_open_hour_is_compared_with_nothing_and_a_rolling_window_with_the_one_of_yesterday() -> None:
    found = hours(100, 500)
    final = np.append(found.final[:-1], [False])
    assert change({("1h", "", "latency_p99_ms"): replace(found, final=final)}, "latency_p99_ms", "") == ""
    rolling = hours(0.8, 0.7, window="7d")
    rolling = replace(rolling, final=np.append(rolling.final[:-1], [False]))
    assert change({("7d", "", "f1_score_rolling_7d"): rolling}, "f1_score_rolling_7d", "") == "\u22120.100 vs yesterday"


def test_without_yesterday_nothing_is_said() -> None:
    assert change({}, "latency_p99_ms", "") == ""
    assert change({("1h", "", "latency_p99_ms"): points("1h", [1.0] * 24)}, "latency_p99_ms", "") == ""
