"""The built-in rules: three windows in a row, judged by the bound that speaks for the model, with enough events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import states
from dashboard.series import Points
from dashboard.states import Finding, Series
from tests.dashboard.messages import DAY_MS, HOUR_MS, points

TEN_S = 10_000


def judge_latency(
    values: list[float], *, usual: float | None = 100.0, n: float | list[float] = 1_000, margin: float | None = 0.0
) -> Finding:
    """Grade p99 latencies of windows of 10 s against a day whose median is `usual`."""
    series: dict[tuple[str, str, str], Points] = {("10s", "", "latency_p99_ms"): points("10s", values, n=n, margin=margin)}
    if usual is not None:
        series["1h", "", "latency_p99_ms"] = points("1h", [usual] * 5)
    found = states.above(series, "latency_p99_ms", "", warning=(0, 1.5), critical=(0, 3), text="above")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("values", "grade", "since", "open_start"),
    [
        ([100, 100, 100, 100], 0, 0, True),
        ([100, 100, 100, 200], 0, 0, True),  # one alone is none
        ([100, 200, 200, 200], 1, 1, False),  # the second confirms it, and it began with the first
        ([200, 200, 200, 200], 1, 0, True),  # may have begun before we looked
        ([100, 200, 200, 200, 400], 1, 1, False),
        ([100, 200, 200, 200, 400, 400], 2, 4, False),
        ([400, 400, 200, 200], 2, 0, True),  # two better windows are not yet its end
        ([400, 400, 200, 200, 200], 1, 2, False),
        ([400, 400, 100, 100, 100], 0, 2, False),
        ([100, 200, 200, 100, 100, 200], 1, 1, False),  # no flicker
        ([400], 0, 0, True),
        ([150, 150, 150], 0, 0, True),  # at the limit is within it
    ],
)
def test_a_grade_begins_with_two_windows_in_a_row_and_ends_with_three_better_ones(
    values: list[float], grade: int, since: int, open_start: bool
) -> None:
    found = judge_latency(values)
    assert (found.grade, found.since_ms, found.open_start) == (grade, since * TEN_S, open_start)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_a_grade_is_one_that_two_windows_in_a_row_reached_and_no_three_since_were_better(grades: list[int]) -> None:
    times = np.arange(len(grades), dtype=np.int64) * TEN_S
    now, since_ms, open_start = states.hold(np.array(grades, dtype=np.int64), times)
    since = since_ms // TEN_S
    if now:
        confirmed = min(grades[since : since + 2]) >= now or max(grades[since : since + 3]) == now
        assert confirmed
        assert not any(max(grades[at : at + 3]) < now for at in range(since, len(grades) - 2))
    assert not any(min(grades[at : at + 2]) > now for at in range(since, len(grades) - 1))
    assert not open_start or since == 0


def test_more_is_judged_by_the_lower_end_of_the_interval_and_less_by_the_upper() -> None:
    assert judge_latency([170, 170, 170], margin=30).grade == 0
    assert judge_latency([170, 170, 170]).limits == states.Limits(150, 300)
    assert judge_latency([170, 170, 170], usual=None).limits is states.NO_LIMITS
    assert judge_latency([170, 170, 170], margin=10).grade == 1
    assert judge_latency([170, 170, 170], margin=None).grade == 1
    for margin, grade in ((0.05, 0), (0.03, 1), (None, 1)):
        series: Series = {("10s", "", "f1_score"): points("10s", [0.76, 0.76, 0.76], margin=margin)}
        found = states.below(series, "f1_score", "", warning=0.8, critical=0.7, text="below", usual=0.83)
        assert found is not None
        assert found.grade == grade


def test_windows_with_few_events_are_not_judged_and_coarser_ones_are_when_most_have_few() -> None:
    assert judge_latency([100, 200, 900, 200, 200], n=[1_000, 1_000, 29, 1_000, 1_000]).grade == 1
    assert judge_latency([100, 200, 200, 200], n=[30, 30, 30, 30]).grade == 1
    sparse: Series = {
        ("10s", "", "error_rate"): points("10s", [0.5] * 6, n=5),
        ("1m", "", "error_rate"): points("1m", [0.0] * 6, n=29),
        ("1h", "", "error_rate"): points("1h", [0.3] * 6, n=200),
    }
    assert len(states.judged_window(sparse, "error_rate")) == 6
    assert states.judged_window(sparse, "error_rate").value[0] == 0.3
    assert not len(states.judged_window({("10s", "", "error_rate"): points("10s", [0.5] * 6, n=5)}, "error_rate"))


def test_without_three_hours_of_the_day_before_a_multiple_says_nothing_but_a_fixed_limit_holds() -> None:
    assert judge_latency([900, 900, 900], usual=None).grade == 0
    series: Series = {("10s", "", "error_rate"): points("10s", [0.05] * 3)}
    found = states.above(series, "error_rate", "", warning=(0.02, 2), critical=(0.1, 5), text="above")
    assert found is not None
    assert (found.grade, found.limits) == (1, states.Limits(0.02, 0.1))
    assert np.isnan(found.usual)


def test_the_larger_of_fixed_limit_and_multiple_holds() -> None:
    series: Series = {("10s", "", "error_rate"): points("10s", [0.05] * 3), ("1h", "", "error_rate"): points("1h", [0.03] * 5)}
    found = states.above(series, "error_rate", "", warning=(0.02, 2), critical=(0.1, 5), text="above")
    assert found is not None
    assert found.grade == 0


def test_the_days_median_leaves_out_the_newest_hour_and_what_is_older_than_a_day() -> None:
    hours = points("1h", [9.0] * 10 + [1.0] * 24 + [5.0])
    assert states.day_median({("1h", "", "m"): hours}, "m") == 1.0
    assert states.day_median({("1h", "", "m"): points("1h", [1.0, 2.0, 3.0, 9.0])}, "m") == 2.0
    assert np.isnan(states.day_median({("1h", "", "m"): points("1h", [1.0, 2.0, 9.0])}, "m"))
    assert np.isnan(states.day_median({}, "m"))


def test_throughput_is_judged_against_the_same_hour_yesterday() -> None:
    now = 30 * HOUR_MS
    hours = points("1h", [100.0] * 31)
    quiet: Series = {("1h", "", "throughput_per_s"): hours, ("10s", "", "throughput_per_s"): points("10s", [24.0] * 4, first=now)}
    found = states.fewer_than_yesterday(quiet)
    assert found is not None
    assert (found.grade, found.usual) == (1, 100.0)
    busy: Series = {**quiet, ("10s", "", "throughput_per_s"): points("10s", [25.0] * 4, first=now)}
    assert getattr(states.fewer_than_yesterday(busy), "grade", None) == 0
    first_day: Series = {**quiet, ("1h", "", "throughput_per_s"): points("1h", [100.0] * 3, first=now)}
    assert getattr(states.fewer_than_yesterday(first_day), "grade", None) == 0


def test_a_variant_is_judged_when_its_whole_interval_is_below_zero() -> None:
    for margin, grade in ((0.02, 0), (0.005, 1)):
        series: Series = {("7d", "variant=b", "conversion_rate_uplift"): points("7d", [-0.01] * 3, margin=margin)}
        found = states.uplift_below_zero(series, "variant=b")
        assert found is not None
        assert (found.grade, found.since_ms) == (grade, 7 * DAY_MS)


def test_the_usual_gap_is_that_of_minutes_else_of_hours() -> None:
    assert states.usual_gap_ms({}) == 0
    assert states.usual_gap_ms({("1h", "", "prediction_volume"): points("1h", [1.0] * 4)}) == HOUR_MS
    both: Series = {("1h", "", "prediction_volume"): points("1h", [1.0] * 4), ("1m", "", "prediction_volume"): points("1m", [1.0] * 4)}
    assert states.usual_gap_ms(both) == 60_000
