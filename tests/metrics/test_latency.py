"""Latency: quantiles within 1 % of the exact order statistic, bounds that hold the true quantile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from pipeline.metrics import compute
from pipeline.metrics.latency import PERCENTS
from pipeline.metrics.order_statistics import EXACT_UP_TO, bounding_ranks, quantile_rank
from schemas.metrics import LATENCY_EDGES_MS, LATENCY_INTERVALS
from tests.metrics.events import Event, Pane, Row, batch_of, rows_of
from tests.metrics.slow import quantile_of

LATENCIES = st.one_of(
    st.just(0.0), st.floats(1e-6, 1e-3), st.floats(1e-3, 1e4), st.floats(1e4, 1e12), st.floats(1e12, 1e300), st.sampled_from([5.0, 7.5])
)


@given(st.lists(st.lists(LATENCIES, min_size=1, max_size=200), min_size=1, max_size=3))
@settings(deadline=None, max_examples=200)
def test_a_quantile_is_within_one_percent_of_the_order_statistic_and_never_above_the_maximum(latencies: list[list[float]]) -> None:
    rows = _rows(latencies)
    for pane, own in enumerate(latencies):
        for percent in PERCENTS:
            row = rows[pane, f"latency_p{percent}_ms", ""]
            assert row.value == pytest.approx(quantile_of(own, percent), rel=0.01 + 1e-12, abs=0)
            assert row.value <= rows[pane, "latency_max_ms", ""].value == max(own)
            assert row.n == len(own)


@given(st.lists(LATENCIES, min_size=1, max_size=300))
@settings(deadline=None, max_examples=100)
def test_bounds_hold_the_order_statistics_of_the_exact_binomial_ranks(latencies: list[float]) -> None:
    rows = _rows([latencies])
    ordered, n = sorted(latencies), len(latencies)
    for percent in PERCENTS:
        row = rows[0, f"latency_p{percent}_ms", ""]
        lower = int(binom.ppf(0.025, n, percent / 100))
        upper = int(binom.ppf(0.975, n, percent / 100)) + 1
        assert (row.low is None) == (lower < 1)
        assert (row.high is None) == (upper > n)
        if row.low is not None:
            assert ordered[lower - 1] / 1.03 <= row.low <= ordered[lower - 1] * (1 + 1e-9)
        if row.high is not None:
            assert ordered[upper - 1] * (1 - 1e-9) <= row.high <= ordered[upper - 1] * 1.03


@pytest.mark.parametrize("percent", PERCENTS)
def test_the_rank_is_that_of_numpys_inverted_distribution_function(percent: int) -> None:
    for n in (1, 2, 3, 10, 19, 21, 99, 101, 1003):
        numpys = np.quantile(np.arange(1, n + 1), percent / 100, method="inverted_cdf")
        assert quantile_rank(percent, np.array([n]))[0] == numpys


@pytest.mark.parametrize("percent", PERCENTS)
def test_bounding_ranks_are_exact_for_small_n_and_one_or_two_ranks_wider_beyond(percent: int) -> None:
    n = np.unique(np.concatenate((np.arange(1, 3000), np.geomspace(3000, 1e9, 3000).astype(np.int64))))
    lower, upper = bounding_ranks(percent, n)
    slack_below = binom.ppf(0.025, n, percent / 100) - lower
    slack_above = upper - np.minimum(binom.ppf(0.975, n, percent / 100) + 1, n + 1)
    exact = n <= EXACT_UP_TO
    for slack in (slack_below, slack_above):
        assert np.all(slack[exact] == 0)
        assert np.all(slack[~exact] >= 0)
        assert np.all(slack[~exact] <= 2)


@pytest.mark.parametrize("n", [30, 600])
def test_bounds_cover_the_true_quantile(n: int) -> None:
    draws = np.random.default_rng(n).lognormal(3, 1, (400, n))
    rows = _rows(draws.tolist())
    for percent, z in zip(PERCENTS, (0.0, 1.2815515655, 1.6448536270, 2.3263478740), strict=True):
        truth = float(np.exp(3 + z))
        own = [rows[pane, f"latency_p{percent}_ms", ""] for pane in range(len(draws))]
        assert np.mean([_holds(row, truth) for row in own]) >= 0.94


@given(st.lists(st.one_of(LATENCIES, st.sampled_from(LATENCY_EDGES_MS)), min_size=1, max_size=100))
@settings(deadline=None, max_examples=100)
def test_a_histogram_counts_what_is_at_most_an_edge_and_of_what_is_above_it_no_more_than_two_percent(latencies: list[float]) -> None:
    hour, day, minute = (Pane([Event(latency_ms=each) for each in latencies], length_s=length) for length in (3_600.0, 86_400.0, 60.0))
    rows = rows_of(compute(batch_of([hour, day, minute])))
    for pane in (0, 1):
        below = 0.0
        for interval, edge in zip(LATENCY_INTERVALS, (*LATENCY_EDGES_MS, np.inf), strict=True):
            row = rows.get((pane, "latency_histogram", f"response_time_ms={interval}"))
            below += row.value if row else 0.0
            assert row is None or (row.value > 0 and (row.n, row.low, row.high) == (len(latencies), None, None))
            assert sum(each <= edge for each in latencies) <= below <= sum(each <= edge * 1.0203 for each in latencies)
        assert below == len(latencies)
    assert not [metric for pane, metric, _ in rows if pane == 2 and metric == "latency_histogram"]


def test_response_times_of_zero_are_counted() -> None:
    rows = _rows([[0.0, 0.0, 0.0]])
    assert rows[0, "latency_avg_ms", ""] == Row(0.0, 3, None, None)
    assert rows[0, "latency_p99_ms", ""].value == 0.0
    assert rows[0, "latency_max_ms", ""] == Row(0.0, 3, None, None)


def _rows(latencies: list[list[float]]) -> dict[tuple[int, str, str], Row]:
    return rows_of(compute(batch_of([Pane([Event(latency_ms=latency) for latency in own]) for own in latencies])))


def _holds(row: Row, truth: float) -> bool:
    return (row.low is None or row.low <= truth) and (row.high is None or truth <= row.high)
