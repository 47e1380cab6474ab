"""The confusion matrix of a stretch: whole hours, added up, in an order that a reader expects."""

from __future__ import annotations

from dashboard.pages.matrix import Matrix, matrix
from dashboard.store import Store
from schemas.metrics import MetricRow
from tests.dashboard.messages import HOUR_MS, WHOLE, encoded, message, row


def pair(predicted: str, actual: str, count: float) -> MetricRow:
    return row("confusion", count, dimension=f"predicted_actual=[{predicted},{actual}]")


def hours(*rows: list[MetricRow]) -> Store:
    """A store with an hour of these numbers after the other; each has 10 labelled predictions."""
    store = Store()
    store.open(WHOLE)
    for hour, each in enumerate(rows):
        store.receive(*encoded(message("1h", hour * HOUR_MS, row("accuracy", 0.5, 10), *each)), 0, hour)
    return store


def test_hours_that_the_range_touches_are_added_up() -> None:
    store = hours([pair("1", "0", 100)], [pair("1", "0", 2), pair("0", "0", 5)], [pair("1", "1", 3)], [pair("1", "1", 900)])
    found = matrix(store, WHOLE, HOUR_MS + 1, 2 * HOUR_MS + 1)
    assert found == Matrix(HOUR_MS, 3 * HOUR_MS, ["0", "1"], [[5, 2], [0, 3]], 20)


def test_numbers_stand_in_their_order_and_before_names_whatever_these_hold() -> None:
    store = hours([pair('"a,b"', "10", 1), pair("2", '"]"', 4), pair("nonsense", "1", 7)])
    found = matrix(store, WHOLE, 0, HOUR_MS)
    assert found is not None
    assert found.classes == ["2", "10", "]", "a,b"]
    assert found.counts == [[0, 0, 0, 0], [0, 0, 0, 1], [4, 0, 0, 0], [0, 0, 0, 0]]


def test_rare_classes_are_left_out_and_what_is_not_classified_has_no_matrix() -> None:
    found = matrix(hours([pair(str(index), str(index), 100 - index) for index in range(20)]), WHOLE, 0, HOUR_MS)
    assert found is not None
    assert found.classes == [str(index) for index in range(12)]
    empty = Store()
    empty.open(WHOLE)
    assert matrix(empty, WHOLE, 0, HOUR_MS) is None
