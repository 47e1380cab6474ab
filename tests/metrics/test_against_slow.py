"""Every number equals the slow computation over the raw events, however panes are batched."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cells import Kind, cell_keys
from pipeline.metrics import METRIC_NAMES, MetricTable, compute
from pipeline.metrics.rows import METRIC_NAMES as NAMES_OF_ROWS
from schemas.metrics import METRICS
from tests.metrics.events import Event, Pane, Row, batch_of, rows_of
from tests.metrics.slow import expected_rows
from tests.metrics.strategies import panes


@given(st.lists(panes(), max_size=6))
@settings(deadline=None, max_examples=150)
def test_every_row_but_quantiles_equals_the_slow_computation(some: list[Pane]) -> None:
    rows = rows_of(_quiet(some))
    exact = {address: (row.value, row.n) for address, row in rows.items() if not address[1].startswith("latency_p")}
    expected = {(pane, *address): value for pane, own in enumerate(some) for address, value in expected_rows(own).items()}
    assert exact.keys() == expected.keys()
    for address, (value, n) in expected.items():
        assert exact[address][1] == n, address
        assert exact[address][0] == pytest.approx(value, rel=1e-9, abs=1e-9 * _magnitude(some)), address


@given(st.lists(panes(), max_size=6))
@settings(deadline=None, max_examples=80)
def test_an_interval_holds_its_value_and_stays_in_the_possible_range(some: list[Pane]) -> None:
    for (_, metric, dimension), row in rows_of(compute(batch_of(some))).items():
        if row.low is not None:
            assert row.low <= row.value + 1e-9 * abs(row.value), (metric, dimension, row)
        if row.high is not None:
            assert row.high >= row.value - 1e-9 * abs(row.value), (metric, dimension, row)
        if METRICS[metric].unit == "ratio" and row.low is not None and row.high is not None:
            assert -1 <= row.low <= row.high, (metric, dimension, row)
            assert "uplift" in metric or row.low >= 0, (metric, dimension, row)
            assert "relative" in metric or row.high <= 1, (metric, dimension, row)


@given(st.lists(panes(), min_size=1, max_size=5))
@settings(deadline=None, max_examples=80)
def test_a_pane_has_the_same_rows_alone_and_among_others(some: list[Pane]) -> None:
    together: dict[int, dict[tuple[str, str], Row]] = {index: {} for index in range(len(some))}
    for (pane, metric, dimension), row in rows_of(compute(batch_of(some))).items():
        together[pane][metric, dimension] = row
    alone = [{address[1:]: row for address, row in rows_of(compute(batch_of([pane]))).items()} for pane in some]
    for index, own in enumerate(alone):
        assert own.keys() == together[index].keys()
        for address, row in own.items():
            # Classes and features have other ids alone, so means are summed in another order.
            for field in ("value", "n", "low", "high"):
                mine, theirs = getattr(row, field), getattr(together[index][address], field)
                assert mine == (None if theirs is None else pytest.approx(theirs, rel=1e-9, abs=1e-12)), address


@given(st.lists(panes(), min_size=1, max_size=6))
@settings(deadline=None, max_examples=50)
def test_rows_are_grouped_by_pane_and_ordered_by_metric(some: list[Pane]) -> None:
    table = compute(batch_of(some))
    assert np.all(np.diff(table.pane) >= 0)
    assert table.dimensions[0] == ""
    assert len(set(table.dimensions)) == len(table.dimensions)
    for column in (table.pane, table.metric, table.dimension, table.n):
        assert column.dtype == np.int64
    assert table.value.dtype == table.low.dtype == table.high.dtype == np.float64
    assert np.all(table.n > 0)
    assert np.all(np.isfinite(table.value))


def test_the_same_panes_give_the_same_rows_to_the_last_bit_in_whatever_batch() -> None:
    random = np.random.default_rng(3)
    some = [
        Pane([Event(prediction=int(p), label=int(a), latency_ms=float(t)) for p, a, t in zip(*random.integers(0, 9, (3, 40)), strict=True)])
        for _ in range(30)
    ]
    shared = [Pane([Event(prediction=index, label=index) for index in range(9)]), *some]
    whole = compute(batch_of(shared))
    for index in (1, 17, 30):
        part = compute(batch_of([shared[0], shared[index]]))
        own, there = part.pane == 1, whole.pane == index
        for name in ("metric", "dimension", "value", "n", "low", "high"):
            np.testing.assert_array_equal(getattr(part, name)[own], getattr(whole, name)[there])


def test_no_panes_and_panes_without_cells_give_no_rows() -> None:
    assert compute(batch_of([])).pane.size == 0
    assert compute(batch_of([Pane(), Pane()])).pane.size == 0


def test_what_retractions_left_of_sums_and_counts_is_no_row() -> None:
    residue = {
        int(cell_keys(kind, a, b)): value
        for kind, a, b, value in (
            (Kind.LABELLED, 0, 0, 0.0),
            (Kind.CONFUSION, 0, 1, 0.0),
            (Kind.CONFUSION, 1, 1, 0.0),
            (Kind.ERROR_COUNT, 0, 0, 0.0),
            (Kind.ERROR_ABSOLUTE, 0, 0, 1e-13),
            (Kind.ERROR_SQUARED, 0, 0, -1e-13),
            (Kind.OUTCOME_KNOWN, 0, 0, 0.0),
            (Kind.CONVERTED, 0, 0, 0.0),
            (Kind.REVENUE_COUNT, 0, 0, 0.0),
            (Kind.REVENUE, 0, 0, 1e-12),
            (Kind.NULL, 0, 0, 0.0),
        )
    }
    other = Pane([Event(prediction="a", label="b", nulls=(("age", False),))])
    rows = rows_of(compute(batch_of([Pane([Event()]), other], [residue])))
    assert {metric for pane, metric, _ in rows if pane == 0} == {"prediction_volume", "throughput_per_s", "error_rate", "label_coverage"}


def test_a_pane_that_holds_only_repeats_and_latecomers_has_their_rows_alone() -> None:
    rows = rows_of(compute(batch_of([Pane(duplicates=2, late=3)])))
    assert rows == {(0, "duplicate_predictions", ""): Row(2, 2, None, None), (0, "late_events", ""): Row(3, 3, None, None)}


def test_what_float64_does_not_hold_is_no_row_and_no_bound() -> None:
    events = [Event(pair=(1e150, 0.0), latency_ms=1.7e308, revenue=1e308), Event(pair=(1e150, 0.0), latency_ms=1.7e308)]
    overflowed = {int(cell_keys(Kind.ERROR_SQUARED)): np.inf}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = rows_of(compute(batch_of([Pane(events)], [overflowed])))
    assert rows[0, "mae", ""] == Row(1e150, 2, None, None)
    assert (0, "rmse", "") not in rows
    assert (0, "latency_avg_ms", "") not in rows
    quantile = rows[0, "latency_p99_ms", ""]
    assert quantile.value == 1.7e308
    assert quantile.low == pytest.approx(1.7e308, rel=0.03)
    assert quantile.high is None
    assert rows[0, "revenue", ""].value == 1e308


def test_throughput_is_over_the_part_of_the_window_gone_by() -> None:
    rows = rows_of(compute(batch_of([Pane([Event()] * 6, elapsed_s=4.0)])))
    assert rows[0, "throughput_per_s", ""].value == 1.5


def test_metric_names_are_those_of_the_contract() -> None:
    assert METRIC_NAMES == NAMES_OF_ROWS == tuple(METRICS)


def _quiet(some: list[Pane]) -> MetricTable:
    """Return the table; a warning, of NumPy's too, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return compute(batch_of(some))


def _magnitude(some: list[Pane]) -> float:
    """Return the largest amount in the panes, of which sums that cancel keep a rounding."""
    amounts = [abs(event.revenue or 0.0) for pane in some for event in pane.events]
    return max([1.0, *amounts])
