"""Panes merge: any way of cutting the input up gives the same pane."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline import panes
from pipeline.cells import Kind, cell_keys
from pipeline.panes import (
    Cells,
    first_pane_id,
    key_bytes,
    merge,
    pack_cells,
    pane_ids,
    pane_scope,
    pane_start_ms,
    pane_window,
    summed,
    unpack_cells,
)
from tests.pipeline.panes_of_cells import ENTRIES, Entry, columns, entries_of, pane_id, slowly_merged


@given(ENTRIES)
def test_cells_of_a_pane_are_added_and_the_largest_latency_is_kept(entries: list[Entry]) -> None:
    assert entries_of(summed(*columns(entries))) == slowly_merged(entries)


@given(ENTRIES, ENTRIES)
def test_the_merge_of_two_summaries_is_the_summary_of_both_inputs(first: list[Entry], second: list[Entry]) -> None:
    both = summed(*columns(first + second))
    assert entries_of(merge([summed(*columns(first)), summed(*columns(second))])) == entries_of(both)
    assert entries_of(merge([summed(*columns(second)), summed(*columns(first))])) == entries_of(both)


@given(ENTRIES, st.randoms(use_true_random=False))
def test_order_and_cuts_of_the_input_do_not_show(entries: list[Entry], rng: random.Random) -> None:
    shuffled = rng.sample(entries, len(entries))
    parts: list[Cells] = []
    while shuffled:
        size = rng.randint(1, len(shuffled))
        parts.append(summed(*columns(shuffled[:size])))
        shuffled = shuffled[size:]
    assert entries_of(merge(parts)) == entries_of(summed(*columns(entries))) if parts else not entries


@given(ENTRIES.filter(bool))
def test_the_dense_and_the_sorted_way_to_sum_agree(entries: list[Entry]) -> None:
    way = panes._DENSE
    try:
        found = []
        for panes._DENSE in (0, 1 << 40):
            found.append(entries_of(summed(*columns(entries))))
    finally:
        panes._DENSE = way
    assert found[0] == found[1] == slowly_merged(entries)


def test_a_largest_latency_of_zero_is_not_lost_though_zeros_are_dropped() -> None:
    pane = np.array([5, 5], dtype=np.uint64)
    keys = np.concatenate([cell_keys(Kind.LATENCY_MAX, np.zeros(1, int)), cell_keys(Kind.ERROR, np.zeros(1, int))])
    cells = summed(pane, keys, np.zeros(2))
    assert entries_of(cells) == [(5, int(cell_keys(Kind.LATENCY_MAX)), 0.0)]


@given(ENTRIES)
def test_cells_come_back_from_bytes_as_they_were(entries: list[Entry]) -> None:
    cells = summed(*columns(entries))
    ids, values = pack_cells(cells)
    assert ids.tolist() == sorted({pane for pane, _, _ in entries_of(cells)})
    assert entries_of(unpack_cells(ids, list(values))) == entries_of(cells)


def test_a_pane_that_is_not_stored_has_no_cells() -> None:
    cells = summed(np.array([3], dtype=np.uint64), np.array([9], dtype=np.uint64), np.ones(1))
    _, values = pack_cells(cells)
    assert entries_of(unpack_cells(np.array([2, 3, 4], dtype=np.uint64), [None, values[0], None])) == entries_of(cells)


WINDOW, START, SCOPE = st.integers(0, 4), st.integers(0, 2**31 - 1), st.integers(0, 2**27 - 1)


@given(WINDOW, START, SCOPE)
def test_an_id_holds_window_start_and_scope(window: int, start: int, scope: int) -> None:
    ids = pane_ids(window, np.array([start * 10_000]), np.array([scope]))
    assert (pane_window(ids)[0], pane_start_ms(ids)[0], pane_scope(ids)[0]) == (window, start * 10_000, scope)


@given(st.lists(st.tuples(WINDOW, START, SCOPE), min_size=1, max_size=20))
def test_ids_and_their_bytes_ascend_by_window_then_time_then_scope(keys: list[tuple[int, int, int]]) -> None:
    by_id = sorted((pane_id(window, start * 10_000, scope), (window, start, scope)) for window, start, scope in keys)
    assert [key for _, key in by_id] == sorted(keys)
    data = key_bytes(np.array([number for number, _ in by_id], dtype=np.uint64))
    assert data == sorted(data)


@given(WINDOW, st.integers(0, 10**13), START, SCOPE)
def test_what_started_before_a_time_is_one_range_of_ids(window: int, bound_ms: int, start: int, scope: int) -> None:
    assert (pane_id(window, start * 10_000, scope) < first_pane_id(window, bound_ms)) == (start * 10_000 < bound_ms)
