"""What a commit adds reaches every window that is kept, and every scope of its events, however late it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells import Kind, cell_keys, cell_kind
from pipeline.panes import NO_CELLS, Cells, merge, pane_scope, pane_start_ms, pane_window
from pipeline.shard.deltas import Delta
from pipeline.shard.expand import expand, late_cells
from schemas.metrics import DEFAULT_RETENTION_MS, TUMBLING, WINDOW_LENGTH_MS
from tests.pipeline.events import NOW
from tests.pipeline.one_at_a_time import Served
from tests.pipeline.test_join import served_rows

SCOPES = [np.array([0, 1]), np.array([0, 2, 5]), np.array([3])]
"""Scopes of three profiles."""
OLDEST = [NOW - DEFAULT_RETENTION_MS[window] for window in TUMBLING]
DAY = 86_400_000
SIX_HOURS = 6 * 3_600_000
AGES = st.sampled_from([0, 1, 9_999, 10_000, SIX_HOURS - 10_000, SIX_HOURS, SIX_HOURS + 10_000, DAY, 2 * DAY, 3 * DAY, 500 * DAY])
KINDS = st.sampled_from([Kind.ERROR, Kind.DUPLICATE, Kind.LATENCY_MAX])
ADDED = st.lists(st.tuples(st.integers(0, 2), AGES, KINDS, st.integers(1, 5)), max_size=15)
Added = tuple[int, int, Kind, int]
Found = dict[tuple[str, int, int, int], float]


def delta(added: Sequence[Added]) -> Delta:
    return Delta(
        np.array([profile for profile, *_ in added], dtype=np.int64),
        np.array([NOW - age for _, age, *_ in added], dtype=np.int64),
        np.array([int(cell_keys(kind)) for _, _, kind, _ in added], dtype=np.uint64),
        np.array([value for *_, value in added], dtype=np.float64),
    )


def found(parts: Sequence[Cells]) -> Found:
    cells = merge([NO_CELLS, *parts])
    columns = (pane_window(cells.pane), pane_start_ms(cells.pane), pane_scope(cells.pane), cell_kind(cells.cell), cells.value)
    return {(TUMBLING[w], start, scope, kind): value for w, start, scope, kind, value in zip(*(c.tolist() for c in columns), strict=True)}


def expected(added: Sequence[Added], oldest: Sequence[int] = OLDEST) -> Found:
    result: Found = {}
    for profile, age, kind, value in added:
        for window, oldest_end in zip(TUMBLING, oldest, strict=True):
            length, at = WINDOW_LENGTH_MS[window], NOW - age
            start = at - at % length
            for scope in SCOPES[profile].tolist():
                key = (window, start, scope, int(kind))
                if start + length > oldest_end:
                    known = result.get(key, 0.0)
                    result[key] = max(known, value) if kind == Kind.LATENCY_MAX else known + value
    return result


@given(ADDED)
def test_each_window_that_is_kept_gets_what_falls_into_it_once_for_each_scope(added: list[Added]) -> None:
    assert found(expand(delta(added), SCOPES, OLDEST)) == expected(added)


@given(ADDED, st.integers(0, 15))
def test_two_commits_add_up_to_one(added: list[Added], at: int) -> None:
    parts = expand(delta(added[:at]), SCOPES, OLDEST) + expand(delta(added[at:]), SCOPES, OLDEST)
    assert found(parts) == found(expand(delta(added), SCOPES, OLDEST))


def test_a_window_is_kept_as_long_as_it_ends_within_its_retention() -> None:
    six_hours = DEFAULT_RETENTION_MS["10s"]
    newest = NOW - NOW % 10_000
    oldest = [newest - six_hours, *[-(2**62)] * 3]
    just_kept, just_gone = newest - six_hours, newest - six_hours - 1
    windows = [
        {window for window, *_ in found(expand(delta([(0, NOW - at, Kind.ERROR, 1)]), SCOPES, oldest))} for at in (just_kept, just_gone)
    ]
    assert windows == [{"10s", "1m", "1h", "1d"}, {"1m", "1h", "1d"}]


def test_a_finer_window_may_be_kept_longer_than_a_coarser_one() -> None:
    oldest = [NOW - 10 * DAY, NOW - DAY, NOW - 10 * DAY, NOW - 10 * DAY]
    added = [(0, 5 * DAY, Kind.ERROR, 1), (0, 0, Kind.ERROR, 2)]
    assert found(expand(delta(added), SCOPES, oldest)) == expected(added, oldest)


LATENESS = 60_000


def late(ages_and_lags: Sequence[tuple[int, int]], counted: Sequence[int]) -> Counter[tuple[str, int]]:
    """Return (window, scope) of late predictions, each read when the watermark was `lag` after its time."""
    rows = served_rows([Served(number, NOW - age, 1) for number, (age, _) in enumerate(ages_and_lags)])
    rows = replace(rows, watermark=np.array([NOW - age + lag for age, lag in ages_and_lags], dtype=np.int64))
    parts = late_cells(rows, np.array(counted, dtype=np.int64), SCOPES, OLDEST, LATENESS)
    cells = merge([NO_CELLS, *parts])
    assert set(cell_kind(cells.cell).tolist()) <= {int(Kind.LATE)}
    result: Counter[tuple[str, int]] = Counter()
    for window, scope, value in zip(pane_window(cells.pane).tolist(), pane_scope(cells.pane).tolist(), cells.value.tolist(), strict=True):
        result[TUMBLING[window], scope] += int(value)
    return result


def test_a_prediction_is_late_in_those_windows_that_were_final_when_it_was_read() -> None:
    # NOW is 3 s into its 10 s window and 23 s into its minute.
    assert late([(0, 7_000 + LATENESS - 1)], [0]) == {}
    assert late([(0, 7_000 + LATENESS)], [0]) == {("10s", 0): 1, ("10s", 1): 1}
    assert {window for window, _ in late([(0, 37_000 + LATENESS)], [0])} == {"10s", "1m"}
    assert {window for window, _ in late([(0, 3 * DAY)], [0])} == set(TUMBLING)


def test_repeats_are_not_late_and_windows_past_their_retention_count_nothing() -> None:
    assert late([(0, 3 * DAY), (0, 3 * DAY)], [1])["10s", 0] == 1
    assert {window for window, _ in late([(3 * DAY, 5 * DAY)], [0])} == {"1h", "1d"}
