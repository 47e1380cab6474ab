"""Tiles: which number is the headline, what is said of it, and that the worst comes first."""

from __future__ import annotations

import pytest

from dashboard.board import Board, Tile, make_tile
from dashboard.series import Points
from dashboard.states import findings
from dashboard.store import Store
from schemas.metrics import Category, MetricRow
from tests.dashboard.messages import HOUR_MS, MINUTE_MS, encoded, message, points, row

Key = tuple[str, str, str]
P99: Key = ("10s", "", "latency_p99_ms")


def tile(category: Category, series: dict[Key, Points], *, stale: bool = False) -> Tile:
    return make_tile("churn", category, series, findings(category, series), 5_000, stale=stale)


@pytest.mark.parametrize(
    ("category", "key", "value", "label", "number", "unit"),
    [
        (Category.PERFORMANCE, ("7d", "", "f1_score_rolling_7d"), 0.8421, "F1, rolling 7 days", "0.842", ""),
        (Category.PERFORMANCE, ("7d", "", "rmse"), 54.26, "RMSE, rolling 7 days", "54.3", ""),
        (Category.OPERATIONAL, P99, 234.4, "Latency p99", "234", "ms"),
        (Category.OPERATIONAL, ("10s", "", "throughput_per_s"), 12.3, "Throughput", "12.3", "/s"),
        (Category.DATA_QUALITY, ("10s", "", "input_null_percentage"), 1.52, "Null inputs", "1.5", "%"),
        (Category.BUSINESS, ("7d", "variant=b", "conversion_rate_uplift"), 0.0123, "Uplift, 7 days \u00b7 b", "+1.2", "pp"),
        (Category.BUSINESS, ("10s", "", "conversion_rate"), 0.116, "Conversion rate", "11.6", "%"),
        (Category.BUSINESS, ("1h", "", "revenue"), 1_234_567.0, "Revenue, this hour", "1.23\u202fM", ""),
    ],
)
def test_the_headline_of_a_category(category: Category, key: Key, value: float, label: str, number: str, unit: str) -> None:
    shown = tile(category, {key: points(key[0], [value] * 4)})
    assert (shown.label, shown.number, shown.unit, shown.spark) == (label, number, unit, (float(f"{value:.6g}"),) * 4)
    assert shown.newest == 5_000


@pytest.mark.parametrize("category", list(Category))
def test_without_anything_a_tile_says_what_is_missing(category: Category) -> None:
    shown = tile(category, {})
    assert (shown.state, shown.number, shown.spark) == ("no data", "\u2013", ())
    assert shown.label


@pytest.mark.parametrize(
    ("category", "key", "label"),
    [
        (Category.PERFORMANCE, ("10s", "", "f1_score"), "F1"),
        (Category.PERFORMANCE, ("10s", "", "rmse"), "RMSE"),
        (Category.OPERATIONAL, ("10s", "", "error_rate"), "Error rate"),
        (Category.DATA_QUALITY, ("10s", "feature=age", "input_null_percentage"), "Null inputs \u00b7 age"),
    ],
)
def test_while_the_headline_is_missing_what_was_judged_is_shown(category: Category, key: Key, label: str) -> None:
    shown = tile(category, {key: points("10s", [0.01] * 4)})
    assert (shown.label, shown.state, len(shown.spark)) == (label, "ok", 4)


def test_the_worst_number_takes_the_headlines_place_and_says_why() -> None:
    series = {P99: points("10s", [100.0] * 4), ("10s", "", "error_rate"): points("10s", [0.001, 0.25, 0.25, 0.25])}
    shown = tile(Category.OPERATIONAL, series)
    assert (shown.state, shown.label, shown.number, shown.unit) == ("critical", "Error rate", "25.0", "%")
    assert (shown.note, shown.since, shown.open_start) == ("above its limit", 10_000, False)


def test_a_bad_rmse_is_shown_by_the_windows_that_are_bad() -> None:
    series = {
        ("7d", "", "rmse"): points("7d", [50.0] * 5),
        ("1h", "", "rmse"): points("1h", [50.0] * 5),
        ("10s", "", "rmse"): points("10s", [50.0] + [90.0] * 3),
    }
    shown = tile(Category.PERFORMANCE, series)
    assert (shown.state, shown.label, shown.number, shown.note) == ("critical", "RMSE", "90.0", "above the day's median; usually 50.0")


def test_of_equal_grades_the_first_rule_is_shown_and_of_features_the_whole_comes_last() -> None:
    bad = points("10s", [30.0] * 4)
    series = {("10s", dimension, "input_null_percentage"): bad for dimension in ("", "feature=age", "feature=bmi")}
    assert tile(Category.DATA_QUALITY, series).label == "Null inputs \u00b7 bmi"


def test_f1_is_judged_against_its_seven_days() -> None:
    rolling = {("7d", "", "f1_score_rolling_7d"): points("7d", [0.85] * 3)}
    for value, state in ((0.83, "ok"), (0.81, "warning"), (0.7, "critical")):
        shown = tile(Category.PERFORMANCE, {**rolling, ("10s", "", "f1_score"): points("10s", [0.85, value, value, value])})
        assert shown.state == state
    assert shown.note == "below the seven-day F1; usually 0.850"


def test_conversions_are_judged_against_the_days_median() -> None:
    day = {("1h", "", "conversion_rate"): points("1h", [0.1] * 5)}
    for value, state in ((0.08, "ok"), (0.06, "warning"), (0.04, "critical")):
        assert tile(Category.BUSINESS, {**day, ("10s", "", "conversion_rate"): points("10s", [0.1, value, value, value])}).state == state


def test_a_healthy_number_has_its_interval_as_a_note() -> None:
    assert tile(Category.OPERATIONAL, {P99: points("10s", [100.0] * 4, margin=5)}).note == "95 %: 95.0 to 105 ms"
    assert tile(Category.OPERATIONAL, {P99: points("10s", [100.0] * 4, margin=None)}).note == ""


def test_few_events_are_shown_but_not_judged() -> None:
    shown = tile(Category.OPERATIONAL, {P99: points("10s", [100.0] * 4, n=3)})
    assert (shown.state, shown.number, shown.note) == ("ok", "100", "Too few events to judge")


def test_a_stale_tile_says_so_whatever_its_number() -> None:
    shown = tile(Category.OPERATIONAL, {("10s", "", "error_rate"): points("10s", [0.5] * 4)}, stale=True)
    assert (shown.state, shown.since, shown.open_start) == ("stale", 5_000, False)
    assert tile(Category.BUSINESS, {}, stale=True).state == "no data"


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def take(store: Store, start: int, *rows: MetricRow, window: str = "1m") -> None:
    key, value = encoded(message(window, start, *rows, updated_at=start + MINUTE_MS))
    store.receive(key, value, 0, 0)


def operational(board: Board) -> Tile:
    return board.tiles()[1]


def test_a_model_is_stale_after_the_configured_time_and_again_well_when_data_comes() -> None:
    clock, store = Clock(), Store()
    board = Board(store, stale_after_ms=120_000, now_ms=clock)
    for minute in range(5):
        take(store, minute * MINUTE_MS, row("prediction_volume", 100.0), row("throughput_per_s", 2.0))
    newest = 5 * MINUTE_MS
    for after, state in ((120_000, "ok"), (180_001, "stale")):
        clock.now = newest + after
        board.refresh()
        assert operational(board).state == state
    assert operational(board).since == newest
    take(store, 7 * MINUTE_MS, row("prediction_volume", 100.0), row("throughput_per_s", 2.0))
    board.refresh()
    assert operational(board).state == "ok"


def test_a_model_that_is_always_slow_is_stale_after_three_of_its_usual_gaps() -> None:
    clock, store = Clock(), Store()
    board = Board(store, stale_after_ms=120_000, now_ms=clock)
    for ten_minutes in range(6):
        take(store, ten_minutes * 10 * MINUTE_MS, row("prediction_volume", 100.0), row("throughput_per_s", 2.0))
    newest = 51 * MINUTE_MS
    for minutes, state in ((0, "ok"), (29, "ok"), (31, "stale")):
        clock.now = newest + minutes * MINUTE_MS
        board.refresh()
        assert operational(board).state == state


def test_a_state_keeps_the_start_that_the_series_no_longer_reach_back_to() -> None:
    clock, store = Clock(), Store()
    board = Board(store, stale_after_ms=120_000, now_ms=clock)
    for window in range(400):
        start = window * 10_000
        clock.now = start
        take(store, start, row("error_rate", 0.5 if window > 100 else 0.001, 1_000), window="10s")
        board.refresh()
    assert 30 * MINUTE_MS < 400 * 10_000 - 101 * 10_000  # longer than what is kept
    assert (operational(board).state, operational(board).since, operational(board).open_start) == ("critical", 101 * 10_000, False)


def test_tiles_are_made_anew_only_for_models_that_changed() -> None:
    store = Store()
    board = Board(store, stale_after_ms=10 * HOUR_MS, now_ms=Clock())
    take(store, 0, row("throughput_per_s", 2.0))
    board.refresh()
    before = board.texts_of("churn")
    board.refresh()
    assert all(one is other for one, other in zip(before, board.texts_of("churn"), strict=True))


def test_beside_its_number_a_tile_says_what_it_is_of() -> None:
    labels = {("7d", "", "f1_score_rolling_7d"): points("7d", [0.8] * 4), ("7d", "", "label_coverage"): points("7d", [0.031] * 4)}
    assert tile(Category.PERFORMANCE, labels).beside == "3.1\u202f% labelled"
    traffic = {
        P99: points("10s", [100.0] * 4),
        ("10s", "", "throughput_per_s"): points("10s", [118.0] * 4),
        ("10s", "", "error_rate"): points("10s", [0.0034] * 4),
    }
    assert tile(Category.OPERATIONAL, traffic).beside == "118\u202f/s \u00b7 0.34\u202f% errors"
    nulls = {
        ("10s", f"feature={name}" if name else "", "input_null_percentage"): points("10s", [value] * 4)
        for name, value in (("", 1.0), ("age", 0.5), ("plan", 1.5))
    }
    assert tile(Category.DATA_QUALITY, nulls).beside == "most in plan: 1.5\u202f%"
    few = {("10s", f"feature={name}", "input_null_percentage"): points("10s", [50.0] * 4, n=3) for name in "abcdefgh"}
    assert tile(Category.DATA_QUALITY, {**few, **nulls}).beside == "most in plan: 1.5\u202f%"
    business = {("7d", "variant=b", "conversion_rate_uplift"): points("7d", [0.01] * 4), ("1h", "", "revenue"): points("1h", [4321.0] * 4)}
    assert tile(Category.BUSINESS, business).beside == "revenue 4,321 an hour"


def test_beside_a_feature_with_too_many_nulls_stands_the_share_over_all() -> None:
    key = ("10s", "feature=age", "input_null_percentage")
    series = {key: points("10s", [2.0, 60.0, 60.0, 60.0]), ("10s", "", "input_null_percentage"): points("10s", [12.0] * 4)}
    shown = tile(Category.DATA_QUALITY, series)
    assert (shown.state, shown.label, shown.beside) == ("critical", "Null inputs \u00b7 age", "12.0\u202f% over all features")
