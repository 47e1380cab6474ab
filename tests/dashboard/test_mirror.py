"""What a chart's source shows after any sequence of pulls is what a fresh one would show."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dashboard.delta import Append, Mirror
from dashboard.retention import DETAIL_SPAN_MS, shown_rows
from schemas.metrics import ROLLING_STEP_MS, WINDOW_LENGTH_MS

STEP, GAP = 10, 100
Shown = list[tuple[int, int | None]]
"""(time, value) as a source has them; None for an empty row."""


def rows(append: Append, values: dict[int, int], pulled: list[int]) -> Shown:
    return [(int(time), None if take < 0 else values[pulled[take]]) for time, take in zip(append.times, append.take, strict=True)]


def fresh(values: dict[int, int]) -> Shown:
    """What a new source shows: all points, with an empty row in each gap."""
    shown: Shown = []
    for time in sorted(values):
        if shown and time - shown[-1][0] > GAP:
            shown.append((shown[-1][0] + STEP, None))
        shown.append((time, values[time]))
    return shown


pulls = st.lists(st.dictionaries(st.integers(0, 60).map(lambda at: at * STEP), st.integers(0, 9), max_size=12), max_size=12)


def follow(batches: list[dict[int, int]], rollover: int) -> tuple[Shown, dict[int, int]]:
    """Return what the source shows after the pulls, and what the store has."""
    mirror, shown, store = Mirror(rollover=rollover, length_ms=STEP, gap_ms=GAP), list[tuple[int, int | None]](), dict[int, int]()
    for batch in batches:
        store.update(batch)
        times = sorted(batch)
        step = mirror.plan(np.array(times, dtype=np.int64))
        if step is None:
            whole = sorted(store)[-rollover // 2 :]
            shown = rows(mirror.replace(np.array(whole, dtype=np.int64)), store, whole)
        else:
            for at, pulled in step.patch:
                assert shown[at][0] == times[pulled]
                shown[at] = (times[pulled], batch[times[pulled]])
            shown = (shown + rows(step.append, batch, times))[-rollover:]
        assert [time for time, value in shown if value is not None] == mirror.times.tolist()
    return shown, store


@given(pulls)
def test_patches_and_appends_end_in_what_a_fresh_source_shows(batches: list[dict[int, int]]) -> None:
    shown, store = follow(batches, rollover=1_000)
    assert shown == fresh(store)


@given(pulls, st.integers(4, 30))
def test_with_rollover_it_is_the_end_of_that(batches: list[dict[int, int]], rollover: int) -> None:
    shown, store = follow(batches, rollover)
    assert len(shown) <= rollover
    whole = fresh(store)
    assert shown == whole[len(whole) - len(shown) :]


def test_a_late_point_at_the_time_of_an_empty_row_is_put_there() -> None:
    shown, _ = follow([{0: 1, 500: 2}, {10: 3}], rollover=100)
    assert shown == [(0, 1), (10, 3), (20, None), (500, 2)]


def test_a_source_has_room_for_all_that_the_store_keeps_with_its_empty_rows() -> None:
    for window, span in DETAIL_SPAN_MS.items():
        step = ROLLING_STEP_MS if window == "7d" else WINDOW_LENGTH_MS[window]
        assert shown_rows(window) >= 1.1 * span / step
