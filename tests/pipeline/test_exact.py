"""Sums that corrections take back from are exact, whatever was in between."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells import Kind, cell_keys
from pipeline.exact import collapsed, limbs
from pipeline.panes import NO_CELLS, Cells, merge, summed

FLOATS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, min_value=-1e300, max_value=1e300)


def contribution(value: float, sign: float = 1.0, kind: Kind = Kind.REVENUE, pane: int = 7) -> Cells:
    _, limb, number = limbs(np.array([value]))
    return summed(np.full(len(limb), pane, dtype=np.uint64), cell_keys(kind, limb, np.zeros_like(limb)), sign * number)


def total(parts: list[Cells]) -> float:
    cells = collapsed(merge(parts) if parts else NO_CELLS)
    return float(cells.value.sum())


@given(st.lists(FLOATS, max_size=20), st.randoms(use_true_random=False))
def test_a_sum_is_the_correctly_rounded_one_in_any_order(values: list[float], rng: random.Random) -> None:
    expected = math.fsum(values)
    found = total([contribution(value) for value in rng.sample(values, len(values))])
    assert found == pytest.approx(expected, rel=2**-51, abs=2**-1000)


@given(st.lists(FLOATS, max_size=10), st.lists(FLOATS, max_size=10), st.randoms(use_true_random=False))
def test_what_is_taken_back_leaves_no_trace(kept: list[float], wrong: list[float], rng: random.Random) -> None:
    parts = [contribution(value) for value in kept + wrong] + [contribution(value, -1.0) for value in wrong]
    rng.shuffle(parts)
    once, twice = merge([NO_CELLS, *parts]), merge([NO_CELLS, *(contribution(value) for value in kept)])
    assert total([once]) == total([twice])


def test_the_rounding_error_of_an_outlier_does_not_stay() -> None:
    parts = [contribution(value) for value in (1e15, 4.4, 13.4)] + [contribution(1e15, -1.0)]
    assert total(parts) == 4.4 + 13.4


@given(st.lists(FLOATS, min_size=1, max_size=10))
def test_the_integers_of_a_value_add_up_to_it(values: list[float]) -> None:
    row, limb, number = limbs(np.array(values))
    for index, value in enumerate(values):
        mine = row == index
        terms = [int(n) * 2 ** (32 * int(k)) for n, k in zip(number[mine], limb[mine], strict=True)]
        numerator, denominator = value.as_integer_ratio()
        assert sum(terms) * denominator == numerator * 2**1088


def test_an_infinite_value_makes_the_sum_infinite_until_it_is_taken_back() -> None:
    assert total([contribution(math.inf), contribution(2.5)]) == math.inf
    assert total([contribution(math.inf), contribution(2.5), contribution(math.inf, -1.0)]) == 2.5


def test_sums_of_other_kinds_and_panes_stay_apart() -> None:
    parts = [contribution(1.5), contribution(2.5, pane=8), contribution(4.0, kind=Kind.ERROR_SQUARED)]
    counts = Cells(np.array([7], dtype=np.uint64), cell_keys(Kind.ERROR, np.zeros(1, int)), np.array([3.0]))
    cells = collapsed(merge([*parts, counts]))
    found = set(zip(cells.pane.tolist(), cells.cell.tolist(), cells.value.tolist(), strict=True))
    key = {kind: int(cell_keys(kind)) for kind in Kind}
    assert found == {(7, key[Kind.REVENUE], 1.5), (8, key[Kind.REVENUE], 2.5), (7, key[Kind.ERROR_SQUARED], 4.0), (7, key[Kind.ERROR], 3.0)}


@pytest.mark.parametrize("value", [-1e300, 1.7e308, -1.7e308])
def test_sums_at_the_edge_of_float64_keep_their_sign_and_size(value: float) -> None:
    assert total([contribution(value)]) == pytest.approx(value, rel=2**-51)


def test_a_sum_beyond_float64_is_infinite_until_it_comes_back() -> None:
    assert total([contribution(1.7e308)] * 3) == math.inf
    assert total([contribution(-1.7e308)] * 3) == -math.inf
    assert total([contribution(1.7e308)] * 3 + [contribution(1.7e308, -1.0)] * 2) == pytest.approx(1.7e308)
