"""Conversion, uplift, revenue, null percentages: their intervals and when they are absent."""

from __future__ import annotations

from statistics import stdev

import pytest

from pipeline.cells import Kind, cell_keys
from pipeline.metrics import compute
from tests.metrics.events import Address, Event, Pane, Row, batch_of, rows_of


def test_uplift_is_measured_against_control() -> None:
    rows = _rows(_arm("treatment", 56, 70) + _arm("control", 48, 80) + _arm("", 1, 2))
    absolute = rows[0, "conversion_rate_uplift", "variant=treatment"]
    assert absolute.value == pytest.approx(0.2)
    assert absolute.n == 150
    assert (absolute.low, absolute.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    relative = rows[0, "conversion_rate_uplift_relative", "variant=treatment"]
    assert relative.value == pytest.approx(0.8 / 0.6 - 1)
    assert relative.n == 150
    assert relative.low is not None
    assert relative.high is not None
    assert 0 < relative.low < relative.value < relative.high
    assert rows[0, "conversion_rate", ""].n == 152
    assert {dimension for _, metric, dimension in rows if "uplift" in metric} == {"variant=treatment"}


def test_relative_uplift_is_absent_while_control_converts_none() -> None:
    rows = _rows(_arm("treatment", 1, 2) + _arm("control", 0, 2))
    assert (0, "conversion_rate_uplift", "variant=treatment") in rows
    assert (0, "conversion_rate_uplift_relative", "variant=treatment") not in rows


def test_relative_uplift_of_an_arm_that_converts_none_has_no_interval() -> None:
    rows = _rows(_arm("treatment", 0, 2) + _arm("control", 1, 2))
    assert rows[0, "conversion_rate_uplift_relative", "variant=treatment"] == Row(-1.0, 4, None, None)


def test_there_is_no_uplift_without_control() -> None:
    assert not [address for address in _rows(_arm("a", 1, 2) + _arm("b", 1, 2)) if "uplift" in address[1]]


def test_control_of_another_pane_does_not_count() -> None:
    rows = rows_of(compute(batch_of([Pane(_arm("control", 1, 2)), Pane(_arm("treatment", 1, 2))])))
    assert not [address for address in rows if "uplift" in address[1]]


def test_revenue_per_prediction_is_over_all_predictions() -> None:
    rows = _rows([Event(revenue=10.0), Event(revenue=-4.0), Event(), Event()])
    assert rows[0, "revenue", ""] == Row(6.0, 2, None, None)
    assert rows[0, "revenue_per_prediction", ""] == Row(1.5, 4, None, None)


def test_revenue_in_a_pane_without_predictions_has_no_rate() -> None:
    cells = {int(cell_keys(Kind.REVENUE_COUNT)): 1.0, int(cell_keys(Kind.REVENUE)): 5.0}
    assert rows_of(compute(batch_of([Pane()], [cells]))) == {(0, "revenue", ""): Row(5.0, 1, None, None)}


def test_mae_has_the_interval_of_a_mean() -> None:
    row = _rows([Event(pair=(0.5, 0.0)), Event(pair=(0.0, 1.5)), Event(pair=(1.0, 0.0)), Event(pair=(1.0, 0.0))])[0, "mae", ""]
    half = 1.959964 * stdev([0.5, 1.5, 1.0, 1.0]) / 2
    assert (row.low, row.high) == pytest.approx((1 - half, 1 + half))


def test_a_name_that_is_absent_is_not_a_null() -> None:
    rows = _rows([Event(nulls=(("age", True),)), Event(nulls=(("age", False), ("city", False))), Event()])
    assert rows[0, "input_null_percentage", "feature=age"].value == 50
    assert rows[0, "input_null_percentage", "feature=age"].n == 2
    assert rows[0, "input_null_percentage", "feature=city"].value == 0
    assert rows[0, "input_null_percentage", ""].value == pytest.approx(100 / 3)
    assert rows[0, "input_null_percentage", "feature=age"].high == pytest.approx(90.5, abs=0.1)


def _arm(variant: str, converted: int, known: int) -> list[Event]:
    return [Event(variant=variant, converted=index < converted) for index in range(known)]


def _rows(events: list[Event]) -> dict[Address, Row]:
    return rows_of(compute(batch_of([Pane(events)])))
