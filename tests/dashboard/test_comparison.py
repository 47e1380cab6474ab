"""What Compare says of two sides: exact values, intervals as published, and no more called beyond noise than there is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from queue import Queue

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats.contingency import relative_risk

from dashboard.compare.choice import Choice
from dashboard.compare.comparison import compare
from dashboard.compare.intervals import LEVEL, Value, beyond_together, difference, ratio_less_one, wilson
from dashboard.compare.pooling import POOLED, pool
from dashboard.compare.reader import Comparison, Reader, Side
from dashboard.compare.stretch import Stretch, is_one_window, tiles, whole
from pipeline.metrics import compute
from schemas.metrics import WINDOW_LENGTH_MS, MetricRow
from tests.dashboard.messages import DAY_MS, HOUR_MS, MINUTE_MS
from tests.metrics.events import Pane, batch_of, rows_of
from tests.metrics.strategies import panes
from tests.waiting import DEADLINE_S

NOW = 20_000 * DAY_MS + 5 * HOUR_MS + 17 * MINUTE_MS + 3


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_has_wilsons_interval(case: tuple[int, int]) -> None:
    hits, n = case
    expected = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    found = wilson(hits, n)
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=1e-12), pytest.approx(expected.high, abs=1e-12))


# Newcombe 1998 (see `difference`), table II, method 10.
PUBLISHED = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0),
    ((10, 10), (0, 10), 0.6075, 1.0),
]


@pytest.mark.parametrize(("one", "other", "low", "high"), PUBLISHED)
def test_the_difference_of_two_shares_has_the_published_interval(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    found = difference(wilson(*other), wilson(*one))
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


VALUES = st.builds(
    lambda value, below, above: Value(value, 10, value - below, value + above),
    st.floats(-1e6, 1e6),
    st.floats(0, 1e4),
    st.floats(0, 1e4),
)


@given(VALUES, VALUES)
def test_turned_about_it_says_the_same_and_its_chance_is_below_the_level_where_it_excludes_zero(a: Value, b: Value) -> None:
    found, turned = difference(a, b), difference(b, a)
    assert found is not None
    assert turned is not None
    assert (turned.value, turned.low, turned.high) == (-found.value, -found.high, -found.low)
    assert turned.p == found.p
    if abs(found.p - LEVEL) > 1e-9:
        assert found.beyond == (found.p < LEVEL)


def test_without_an_interval_there_is_no_verdict_and_a_ratio_of_shares_has_katzs() -> None:
    assert difference(Value(1, 5, 0.5, None), Value(9, 5, 8, 10)) is None
    found = ratio_less_one((48, 80), (56, 70))
    expected = relative_risk(56, 70, 48, 80).confidence_interval(0.95)
    assert (found.value, found.low, found.high) == pytest.approx((1 / 3, expected.low - 1, expected.high - 1))


def test_among_many_holms_procedure_says_which_stay() -> None:
    assert beyond_together([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert beyond_together([0.04]) == [True]
    assert beyond_together([]) == []


@given(st.lists(st.floats(0, 1), max_size=30))
def test_it_calls_fewer_than_each_alone_and_more_than_bonferroni(ps: list[float]) -> None:
    for p, stays in zip(ps, beyond_together(ps), strict=True):
        assert not stays or p <= LEVEL
        assert stays or p > LEVEL / len(ps)


@given(panes(), st.integers(1, 4))
def test_what_is_pooled_from_parts_is_what_the_pipeline_makes_of_the_whole(pane: Pane, parts: int) -> None:
    pane = replace(pane, rolling=False)
    split = [replace(pane, events=pane.events[part::parts], duplicates=pane.duplicates * (not part), late=0) for part in range(parts)]
    windows: list[list[MetricRow]] = [[] for _ in split]
    for (index, metric, dimension), row in rows_of(compute(batch_of(split))).items():
        windows[index].append(MetricRow(dimension, metric, row.value, row.n, row.low, row.high))
    found = pool(windows, pane.elapsed_s)
    whole_pane = rows_of(compute(batch_of([replace(pane, late=0)])))
    expected = {(metric, dimension): row for (_, metric, dimension), row in whole_pane.items() if metric in POOLED}
    assert found.keys() == expected.keys()
    for column, row in expected.items():
        assert found[column].n == row.n, column
        for name in ("value", "low", "high"):
            mine, theirs = getattr(found[column], name), getattr(row, name)
            assert mine == (None if theirs is None else pytest.approx(theirs, rel=1e-6, abs=1e-9)), (column, name)


def test_what_float64_does_not_hold_is_no_value() -> None:
    huge = [MetricRow("", "revenue", 1e308, 1), MetricRow("", "mae", 1e308, 3), MetricRow("", "rmse", 1e200, 3)]
    found = pool([[MetricRow("", "prediction_volume", 4.0, 4), *huge]] * 2, 10)
    assert found == {("prediction_volume", ""): Value(8.0, 8), ("throughput_per_s", ""): Value(0.8, 8)}


def test_a_page_is_answered_whatever_goes_wrong(tmp_path: Path) -> None:
    answers: Queue[Comparison] = Queue()
    reader = Reader(tmp_path)

    def wrong(newest: int) -> tuple[Side, Side]:
        raise ArithmeticError(newest)

    reader.read("churn", wrong, answers.put)
    assert "cannot be read" in answers.get(timeout=DEADLINE_S).error
    reader.close()


@pytest.mark.parametrize(("kept", "step"), [("2d", MINUTE_MS), ("3h", HOUR_MS), ("1m", DAY_MS)])
def test_the_ends_are_those_of_the_finest_windows_that_are_kept(kept: str, step: int) -> None:
    kept_ms = {"2d": {"1m": 2 * DAY_MS, "1h": 8 * DAY_MS}, "3h": {"1m": 3 * HOUR_MS, "1h": 8 * DAY_MS}, "1m": {"1m": 1, "1h": 2 * HOUR_MS}}
    found = whole(Stretch(NOW - 4 * HOUR_MS, NOW - 2 * HOUR_MS), NOW, kept_ms[kept])
    assert found.start % step == found.end % step == 0
    assert found.end - found.start <= 2 * HOUR_MS + 2 * step


@given(st.integers(0, 3 * DAY_MS), st.integers(0, 12 * DAY_MS))
def test_a_stretch_is_tiled_without_gap_or_overlap(back: int, length: int) -> None:
    stretch = whole(Stretch(NOW - back - length, NOW - back), NOW)
    found = tiles(stretch)
    ends = sorted((tile.first, tile.last if tile.window != "7d" else tile.first + WINDOW_LENGTH_MS["7d"]) for tile in found)
    assert (ends[0][0], ends[-1][1]) == (stretch.start, stretch.end)
    assert all(before[1] == after[0] for before, after in pairwise(ends))
    assert all(
        tile.first % WINDOW_LENGTH_MS[tile.window] == tile.last % WINDOW_LENGTH_MS[tile.window] == 0
        for tile in found
        if tile.window != "7d"
    )
    assert stretch.start <= NOW - back - length
    assert stretch.end >= NOW - back


@pytest.mark.parametrize("name", ["hour", "day", "week", "7d"])
@pytest.mark.parametrize("by", ["version", "range"])
def test_each_preset_is_one_window_a_side(name: str, by: str) -> None:
    a, b = Choice("churn", by, "v1", "v2", range=name).sides(NOW)  # type: ignore[arg-type]
    for side in (a, b):
        assert is_one_window(tiles(Stretch(side.start, side.end)))
        assert side.end <= NOW
    assert (a.end == b.end) == (by == "version")


def test_what_differs_most_beyond_noise_comes_first() -> None:
    a = {("error_rate", ""): wilson(10, 1000), ("latency_p99_ms", ""): Value(100, 1000, 95, 105), ("accuracy", ""): wilson(800, 1000)}
    b = {("error_rate", ""): wilson(24, 1000), ("latency_p99_ms", ""): Value(80, 1000, 76, 84), ("accuracy", ""): wilson(805, 1000)}
    extra = {("revenue", ""): Value(5.0, 3), ("f1_score_rolling_7d", ""): Value(0.5, 9, 0.4, 0.6)}
    lines = compare({**a, **extra}, {**b, ("revenue", ""): Value(7.0, 4)})
    assert [(line.metric, line.verdict, line.change) for line in lines] == [
        ("latency_p99_ms", "together", "better"),
        ("error_rate", "together", "worse"),
        ("accuracy", "within", ""),
        ("revenue", "", ""),
    ]
    assert lines[-1].difference == 2.0
