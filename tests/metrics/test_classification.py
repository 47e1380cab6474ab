"""Classification: which class is positive, how classes are named, and the intervals of macro means."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.cells import Floats, Kind, Names, cell_keys
from pipeline.metrics import METRIC_NAMES, MetricTable, PaneBatch, compute
from pipeline.metrics.naming import class_name, is_binary_class
from tests.metrics.events import Address, Class, Event, Pane, Row, batch_of, rows_of

Matrix = list[list[float]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (True, "1"),
        (-7, "-7"),
        (1.0, "1.0"),
        (1e300, "1e+300"),
        ("cat", "cat"),
        ("1", '"1"'),
        ("-1.5e3", '"-1.5e3"'),
        ("true", '"true"'),
        ("null", '"null"'),
        ('"quoted"', '"\\"quoted\\""'),
        ("01", "01"),
        ("True", "True"),
        ("été", "été"),
        ("", ""),
        ("__other__", "__other__"),
    ],
)
def test_a_class_is_written_so_that_no_two_share_a_text(value: Class, text: str) -> None:
    assert class_name(value) == text


def test_only_integers_and_booleans_are_binary_classes() -> None:
    assert [is_binary_class(value) for value in (0, 1, True, False)] == [True] * 4
    assert [is_binary_class(value) for value in (2, -1, 0.0, 1.0, "1", "0")] == [False] * 6


def test_zero_and_one_are_binary_with_one_as_the_positive_class() -> None:
    rows = _rows([(1, 1), (True, 1), (1, 0), (0, 1), (False, False)])
    assert rows[0, "precision", ""].value == pytest.approx(2 / 3)
    assert rows[0, "recall", ""].value == pytest.approx(2 / 3)
    assert rows[0, "f1_score", ""].value == pytest.approx(2 / 3)
    assert rows[0, "accuracy", ""].value == pytest.approx(3 / 5)
    assert not [address for address in rows if address[2].startswith("class=")]


def test_pairs_of_classes_are_counted_by_the_hour_unless_they_are_too_many() -> None:
    pairs = [(1, 0), (True, 0), (0, 0), ("1", "a,b")]
    events = [Event(prediction=prediction, label=label) for prediction, label in pairs]
    many = [Event(prediction=index, label=0) for index in range(101)]
    rows = rows_of(compute(batch_of([Pane(events, length_s=3_600.0), Pane(events), Pane(many, length_s=3_600.0)])))
    found = {(pane, dimension): (row.value, row.n) for (pane, metric, dimension), row in rows.items() if metric == "confusion"}
    counts = {"[1,0]": 2.0, "[0,0]": 1.0, '["1","a,b"]': 1.0}
    assert found == {(0, f"predicted_actual={pair}"): (count, 4) for pair, count in counts.items()}


def test_without_the_positive_class_all_is_zero_and_undefined_intervals_are_absent() -> None:
    rows = _rows([(0, 0), (0, 0)])
    for metric in ("precision", "recall", "f1_score"):
        assert rows[0, metric, ""] == Row(0.0, 2, None, None)
    assert rows[0, "accuracy", ""].value == 1.0


def test_a_positive_class_that_is_configured_holds_for_any_classes() -> None:
    rows = _rows([("yes", "yes"), ("no", "yes"), ("maybe", "no")], positive_class="yes")
    assert rows[0, "precision", ""].value == 1.0
    assert rows[0, "recall", ""].value == 0.5
    assert not [address for address in rows if address[2].startswith("class=")]


@pytest.mark.parametrize("classes", [("yes", "no"), (0.0, 1.0), ("0", "1"), (1, 2)])
def test_other_pairs_of_classes_are_averaged(classes: tuple[Class, Class]) -> None:
    first, second = classes
    rows = _rows([(first, first), (second, first), (second, second)])
    assert rows[0, "f1_score", ""].value == pytest.approx(2 / 3)
    assert rows[0, "f1_score", f"class={class_name(first)}"].value == pytest.approx(2 / 3)
    assert rows[0, "precision", f"class={class_name(second)}"] == Row(0.5, 3, *_bounds(rows[0, "precision", f"class={class_name(second)}"]))


def test_the_task_multiclass_averages_zero_and_one_too() -> None:
    rows = _rows([(1, 1), (0, 0), (0, 1)], task=2)
    assert rows[0, "recall", ""].value == pytest.approx((1 + 0.5) / 2)
    assert rows[0, "recall", "class=0"].value == 1.0
    assert rows[0, "recall", "class=1"].value == 0.5


def test_the_task_binary_takes_the_integer_one_where_no_positive_class_is_configured() -> None:
    rows = _rows([(1, 1), (2, 1), ("x", "x")], task=1)
    assert rows[0, "recall", ""].value == 0.5
    rows = _rows([("x", "x")], task=1)
    assert rows[0, "f1_score", ""].value == 0.0


def test_configured_classes_are_averaged_whether_seen_or_not() -> None:
    rows = _rows([(0, 0), (1, 1), (0, 1)], classes=(0, 1, 2))
    assert rows[0, "recall", ""].value == pytest.approx((1 + 0.5 + 0) / 3)
    assert rows[0, "recall", "class=2"] == Row(0.0, 3, None, None)
    assert {dimension for _, metric, dimension in rows if metric == "recall"} == {"", "class=0", "class=1", "class=2"}


def test_a_class_that_is_not_configured_is_a_mistake_and_no_class_of_its_own() -> None:
    rows = _rows([("a", "a"), ("b", "b"), ("c", "b"), ("c", "c")], classes=("a", "b"))
    assert rows[0, "recall", ""].value == pytest.approx((1 + 0.5) / 2)
    assert rows[0, "accuracy", ""] == Row(0.75, 4, *_bounds(rows[0, "accuracy", ""]))
    assert (0, "recall", "class=c") not in rows


def test_configured_zero_and_one_are_binary_whatever_is_seen() -> None:
    rows = _rows([(1, 1), (2, 1)], classes=(False, True))
    assert rows[0, "recall", ""].value == 0.5
    assert (0, "recall", "class=1") not in rows


def test_the_task_regression_has_no_classes() -> None:
    assert not [address for address in _rows([(1, 1)], task=3) if address[1] in ("accuracy", "precision", "recall", "f1_score")]


def test_only_the_rolling_window_has_the_rolling_score_and_it_is_the_same_number() -> None:
    events = [Event(prediction=p, label=a) for p, a in (("a", "a"), ("b", "a"), ("c", "c"))]
    rows = rows_of(compute(batch_of([Pane(events), Pane(events, rolling=True)])))
    rolling = {address: row for address, row in rows.items() if address[1] == "f1_score_rolling_7d"}
    assert rolling == {(1, "f1_score_rolling_7d", d): row for (p, m, d), row in rows.items() if p == 1 and m == "f1_score"}
    assert len(rolling) == 4


def test_the_interval_of_macro_f1_is_that_of_takahashi_when_n_is_large() -> None:
    counts = np.random.default_rng(5).integers(2_000, 4_000, (6, 6)).astype(np.float64) + np.diag([90_000.0] * 6)
    table = _table(counts[None])
    at = (table.metric == METRIC_NAMES.index("f1_score")) & (table.dimension == 0)
    half = 1.959964 * np.sqrt(_delta_variance(counts))
    value = _macro_f1(counts)
    assert table.value[at][0] == pytest.approx(value, rel=1e-12)
    assert table.low[at][0] == pytest.approx(value - half, abs=0.02 * half)
    assert table.high[at][0] == pytest.approx(value + half, abs=0.02 * half)


def test_the_interval_of_macro_means_has_a_width_where_all_are_right() -> None:
    rows = _rows([("a", "a"), ("b", "b"), ("c", "c")])
    for metric in ("precision", "recall", "f1_score"):
        row = rows[0, metric, ""]
        assert row.value == row.high == 1.0
        assert row.low is not None
        assert row.low < 0.7


FEW_MISTAKES: Matrix = [[50, 2, 2], [2, 25, 2], [2, 2, 13]]
MANY_MISTAKES: Matrix = [[30, 10, 10], [10, 10, 5], [10, 5, 10]]
TEN_CLASSES: Matrix = (np.full((10, 10), 1.0) + 90 * np.eye(10)).tolist()


@pytest.mark.parametrize(
    ("population", "n"),
    [(FEW_MISTAKES, 60), (FEW_MISTAKES, 500), (MANY_MISTAKES, 60), (MANY_MISTAKES, 500), (TEN_CLASSES, 100), (TEN_CLASSES, 1000)],
)
def test_the_intervals_of_macro_means_cover_their_true_values(population: Matrix, n: int) -> None:
    p = np.array(population) / np.sum(population)
    panes = 4000
    counts = np.random.default_rng(n).multinomial(n, p.ravel(), panes).reshape(panes, *p.shape).astype(np.float64)
    table = _table(counts)
    predicted, actual, right = p.sum(axis=1), p.sum(axis=0), np.diag(p)
    truths = {"precision": right / predicted, "recall": right / actual, "f1_score": 2 * right / (predicted + actual)}
    for metric, truth in truths.items():
        at = (table.metric == METRIC_NAMES.index(metric)) & (table.dimension == 0)
        assert 0.93 <= np.mean((table.low[at] <= truth.mean()) & (truth.mean() <= table.high[at])) <= 0.995


def _rows(
    pairs: list[tuple[Class, Class]], task: int = 0, positive_class: Class | None = None, classes: tuple[Class, ...] = ()
) -> dict[Address, Row]:
    """Return the rows of a pane of pairs (prediction, label)."""
    events = [Event(prediction=prediction, label=label) for prediction, label in pairs]
    return rows_of(compute(batch_of([Pane(events, task=task, positive_class=positive_class, classes=classes)])))


def _bounds(row: Row) -> tuple[float | None, float | None]:
    return row.low, row.high


def _table(counts: Floats) -> MetricTable:
    """Return the table of confusion counts of shape (panes, predicted class, actual class)."""
    panes, classes, _ = counts.shape
    predicted, actual = np.divmod(np.arange(classes * classes), classes)
    batch = PaneBatch(
        count=panes,
        pane=np.repeat(np.arange(panes), classes * classes),
        key=np.tile(cell_keys(Kind.CONFUSION, predicted, actual), panes),
        value=counts.ravel(),
        length_s=np.ones(panes),
        elapsed_s=np.ones(panes),
        positive_class=np.full(panes, -1),
        task=np.full(panes, 2, dtype=np.int8),
        rolling=np.zeros(panes, dtype=np.bool_),
        names=Names(classes=[f"class {index}" for index in range(classes)]),
    )
    return compute(batch)


def _macro_f1(counts: Floats) -> float:
    return float(np.mean(2 * np.diag(counts) / (counts.sum(axis=0) + counts.sum(axis=1))))


def _delta_variance(counts: Floats) -> float:
    """Return the variance of macro F1 by the multinomial delta method, with numeric derivatives."""
    gradient = np.zeros_like(counts)
    for cell in np.ndindex(counts.shape):
        step = np.zeros_like(counts)
        step[cell] = 1.0
        gradient[cell] = (_macro_f1(counts + step) - _macro_f1(counts - step)) / 2
    n = counts.sum()
    return float(np.sum(counts * gradient**2) - np.sum(counts * gradient) ** 2 / n)
