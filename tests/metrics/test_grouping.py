"""Grouping by (pane, id): the same whether pairs are dense enough for a table or are sorted."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.metrics.grouping import group_sums, spread, stable_order

PAIRS = st.one_of(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3))),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 2**28 - 1))),
)


@given(PAIRS)
def test_sums_are_those_of_equal_pairs_in_ascending_order(pairs: list[tuple[int, int]]) -> None:
    pane, ids = (np.array([pair[part] for pair in pairs], dtype=np.int64) for part in range(2))
    value = np.arange(1.0, 1.0 + len(pairs))
    expected: Counter[tuple[int, int]] = Counter()
    for pair, number in zip(pairs, value.tolist(), strict=True):
        expected[pair] += number
    groups = group_sums(pane, ids, value)
    distinct = list(zip(groups.pane.tolist(), groups.id.tolist(), strict=True))
    assert distinct == sorted(expected)
    assert groups.total.tolist() == [expected[pair] for pair in distinct]
    assert [distinct[member] for member in groups.member.tolist()] == pairs
    np.testing.assert_array_equal(groups.gather(pane, ids), [expected[pair] for pair in pairs])
    assert groups.gather(np.array([100_001]), np.array([0])).tolist() == [0.0]


@given(st.lists(st.integers(0, 100_000)))
def test_the_order_sorts_and_keeps_equal_ones_as_they_are(ids: list[int]) -> None:
    order = stable_order(np.array(ids, dtype=np.int64)).tolist()
    assert order == sorted(range(len(ids)), key=lambda position: ids[position])


def test_sets_are_spread_over_those_that_name_them() -> None:
    sets = [np.array([], dtype=np.int64), np.array([7, 9]), np.array([4])]
    position, member = spread(np.array([1, 0, 2, 1]), sets)
    assert position.tolist() == [0, 0, 2, 3, 3]
    assert member.tolist() == [7, 9, 4, 7, 9]
