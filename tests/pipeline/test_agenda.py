"""What is published when: open windows at once, old ones as time allows, rolling ones in bulk; and nothing is forgotten."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells import Kind, cell_keys
from pipeline.panes import LENGTH_MS, NO_CELLS, ROLLING_INDEX, WINDOWS, Cells, merge, pane_ids, pane_scope, pane_start_ms
from pipeline.publish.agenda import Agenda, RollingAgenda, window_ends
from pipeline.publish.lake import BUCKET_MS, buckets_of
from pipeline.publish.rhythm import SHORT
from pipeline.publish.rolling import HOURS, OpenRolling, coming_hour, rolling_id, rolling_panes
from tests.pipeline.events import NOW
from tests.pipeline.panes_of_cells import entries_of, pane_id

HOUR = 3_600_000
H0 = NOW - NOW % HOUR
NONE = NO_CELLS.pane


def ids(*panes: int) -> np.ndarray:
    return np.array(panes, dtype=np.uint64)


def test_what_is_open_is_taken_at_once_and_of_the_rest_the_newest() -> None:
    panes = [pane_id(0, NOW - NOW % 10_000 + step * 10_000, 0) for step in range(-5, 3)]
    agenda = Agenda({})
    agenda.add(ids(*reversed(panes)))
    ended_before = int(window_ends(ids(panes[4]))[0])
    assert agenda.take_open(ended_before).tolist() == panes[5:]
    assert agenda.take_ended(2).tolist() == panes[3:5]
    assert not agenda.empty
    agenda.add(ids(panes[7], panes[0]))
    assert agenda.take_open(ended_before).tolist() == [panes[7]]
    assert agenda.take_ended(2).tolist() == [panes[0], panes[2]]
    assert agenda.take_ended(9).tolist() == [panes[1]]
    assert agenda.empty


def test_while_event_time_rushes_short_windows_wait_until_they_have_ended() -> None:
    ten_seconds, hour = pane_id(0, NOW - NOW % 10_000, 0), pane_id(2, H0, 0)
    agenda = Agenda({})
    agenda.add(ids(ten_seconds, hour))
    assert agenda.take_open(NOW - HOUR, but=SHORT).tolist() == [hour]
    assert agenda.not_waiting(ids(ten_seconds, hour)).tolist() == [hour]
    assert agenda.take_open(NOW - HOUR, but=SHORT).tolist() == []
    assert agenda.take_open(NOW - HOUR).tolist() == [ten_seconds]
    agenda.add(ids(ten_seconds))
    assert agenda.take_open(NOW + HOUR, but=SHORT).tolist() == []
    assert agenda.take_ended(9).tolist() == [ten_seconds]


def test_the_longest_windows_that_have_ended_come_first() -> None:
    panes = [pane_id(window, H0 - 24 * HOUR, 0) for window in range(4)]
    agenda = Agenda({})
    agenda.add(ids(*panes))
    assert not len(agenda.take_open(NOW))
    assert [int(agenda.take_ended(1)[0]) for _ in panes] == panes[::-1]


def test_what_changed_again_while_it_was_published_keeps_its_mark() -> None:
    agenda = Agenda({})
    panes = [pane_id(0, NOW - NOW % 10_000 + step * 10_000, 0) for step in range(3)]
    agenda.add(ids(*panes))
    taken = agenda.take_open(0)
    agenda.add(ids(panes[1]))
    assert agenda.not_waiting(taken).tolist() == [panes[0], panes[2]]
    agenda.take_open(NOW + HOUR)
    assert agenda.not_waiting(taken).tolist() == [panes[0], panes[2]]


@given(st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=6), st.integers(0, 12), st.integers(0, 4))
def test_every_pane_that_changed_is_taken_in_the_end_and_no_oftener_than_it_changed(
    rounds: list[list[int]], closed: int, most: int
) -> None:
    agenda, taken = Agenda({}), []
    for changed in rounds:
        agenda.add(ids(*(pane_id(0, number * 10_000, 0) for number in changed)))
        taken += agenda.take_open(closed * 10_000).tolist() + agenda.take_ended(most).tolist()
    taken += agenda.take_open(closed * 10_000).tolist() + agenda.take_ended(1_000).tolist()
    numbers = [int(pane_start_ms(ids(pane))[0]) // 10_000 for pane in taken]
    every = [number for changed in rounds for number in set(changed)]
    assert set(numbers) == set(every)
    assert all(numbers.count(number) <= every.count(number) for number in numbers)


def test_a_window_that_was_provisional_is_published_again_when_it_is_final() -> None:
    open_, done = pane_id(0, NOW, 0), pane_id(0, NOW - 200_000, 0)
    agenda = Agenda({pane: int(window_ends(ids(pane))[0]) for pane in (open_, done)})
    assert agenda.now_final(NOW, 60_000).tolist() == [done]


def rolling_after(*changes: tuple[int, int, int]) -> RollingAgenda:
    """Return the agenda after changes (scope, hour start, newest event time)."""
    agenda = RollingAgenda({})
    for scope, hour, newest in changes:
        agenda.move_to(newest, range(3))
        agenda.open_changed.clear()
        agenda.hour_changed(scope, hour, newest)
    return agenda


def test_a_change_in_the_current_hour_changes_the_open_window_alone() -> None:
    agenda = rolling_after((1, H0, NOW))
    assert (agenda.open_end, agenda.open_changed, agenda.closed) == (H0 + HOUR, {1}, {})


def test_a_change_two_hours_ago_changes_the_two_closed_windows_since_too() -> None:
    agenda = rolling_after((1, H0 - 2 * HOUR, NOW))
    assert (agenda.open_changed, agenda.closed) == ({1}, {1: (H0 - HOUR, H0)})


def test_a_change_eight_days_ago_changes_the_seven_days_of_windows_after_it() -> None:
    hour = H0 - 8 * 24 * HOUR
    agenda = rolling_after((1, hour, NOW))
    assert (agenda.open_changed, agenda.closed) == (set(), {1: (hour + HOUR, hour + 7 * 24 * HOUR)})
    assert (agenda.closed[1][1] - agenda.closed[1][0]) // HOUR + 1 == HOURS


def test_when_the_hour_changes_every_scope_has_a_new_window_and_closed_ones_in_between() -> None:
    agenda = RollingAgenda({})
    agenda.move_to(NOW, range(2))
    assert agenda.open_changed == {0, 1}
    agenda.move_to(NOW + 3 * HOUR, range(2))
    assert (agenda.open_end, agenda.open_changed) == (H0 + 4 * HOUR, {0, 1})
    assert agenda.closed == dict.fromkeys(range(2), (H0 + HOUR, H0 + 3 * HOUR))
    agenda.move_to(NOW, range(2))
    assert agenda.open_end == H0 + 4 * HOUR


def test_marks_that_grow_are_to_be_saved_and_others_are_not() -> None:
    agenda = rolling_after((1, H0 - 5 * HOUR, NOW))
    assert agenda.unsaved == {1}
    agenda.unsaved.clear()
    agenda.hour_changed(1, H0 - 3 * HOUR, NOW)
    assert agenda.unsaved == set()
    agenda.hour_changed(1, H0 - 9 * HOUR, NOW)
    assert agenda.unsaved == {1}


# Hourly panes of scopes 0 and 1: (scope, hours before H0, kind, value).
KINDS = st.sampled_from([Kind.ERROR, Kind.LATENCY_MAX, Kind.DUPLICATE])
AGO = st.sampled_from([0, 1, 2, 100, 166, 167, 168, 169, 300])
CHANGES = st.lists(st.tuples(st.integers(0, 1), AGO, KINDS, st.integers(0, 5)), max_size=15)
Change = tuple[int, int, Kind, int]


def hourly(changes: Sequence[Change]) -> Cells:
    parts = [
        Cells(
            pane_ids(WINDOWS.index("1h"), np.array([H0 - ago * HOUR]), np.array([scope])),
            cell_keys(kind, np.zeros(1, dtype=np.int64)),
            np.array([float(value)]),
        )
        for scope, ago, kind, value in changes
    ]
    return merge([NO_CELLS, *parts])


def some(cells: Cells, panes: np.ndarray) -> Cells:
    kept = np.isin(cells.pane, panes)
    return Cells(cells.pane[kept], cells.cell[kept], cells.value[kept])


def directly(cells: Cells, scope: int, end: int) -> Cells:
    """Sum the hours of one rolling window."""
    start = pane_start_ms(cells.pane)
    mine = (pane_scope(cells.pane) == scope) & (start < end) & (start >= end - 7 * 24 * HOUR)
    panes = rolling_id(np.full(int(mine.sum()), scope), np.full(int(mine.sum()), end))
    return merge([NO_CELLS, Cells(panes, cells.cell[mine], cells.value[mine])])


@given(CHANGES, st.integers(-3, 2), st.integers(0, 4))
def test_rolling_windows_are_the_sums_of_their_168_hours(changes: list[Change], first: int, more: int) -> None:
    cells = hourly(changes)
    ends = [H0 + hours * HOUR for hours in range(first, first + more + 1)]
    found = rolling_panes(0, ends[0], ends[-1], lambda panes: some(cells, panes))
    assert entries_of(found) == entries_of(merge([NO_CELLS, *(directly(cells, 0, end) for end in ends)]))


@given(CHANGES, st.lists(CHANGES, max_size=4))
def test_the_open_window_that_is_kept_current_equals_the_one_summed_anew(first: list[Change], later: list[list[Change]]) -> None:
    state, end = hourly(first), coming_hour(NOW)
    current = OpenRolling()
    current.move_to(end)
    current.of(np.array([0, 1]), lambda panes: some(state, panes))
    for changes in later:
        added = hourly(changes)
        after = merge([state, added])
        touched = np.unique(added.pane)
        current.apply(some(state, touched), some(after, touched))
        state = after
    asked = current.of(np.array([0, 1]), lambda panes: some(state, panes))
    assert entries_of(asked) == entries_of(merge([NO_CELLS, *(directly(state, scope, end) for scope in (0, 1))]))


def test_a_largest_latency_of_zero_is_in_the_rolling_window_too() -> None:
    cells = hourly([(0, 1, Kind.LATENCY_MAX, 0)])
    assert len(rolling_panes(0, H0, H0 + HOUR, lambda panes: some(cells, panes))) == 2


@given(st.integers(0, 4), st.integers(0, 10**12), st.integers(0, 9))
def test_a_pane_lies_in_the_file_of_its_window_and_time(window: int, time_ms: int, scope: int) -> None:
    name, start = WINDOWS[window], time_ms - time_ms % 10_000
    ((found, bucket),) = buckets_of(ids(pane_id(window, start, scope)))
    assert found == name
    assert bucket <= start < bucket + BUCKET_MS[name]
    assert bucket % BUCKET_MS[name] == 0


def test_no_panes_are_in_no_files() -> None:
    assert buckets_of(NONE) == set()
    assert LENGTH_MS[ROLLING_INDEX] == HOURS * HOUR
