"""A frame holds the newest state of each window, whatever the order in which the states came."""

from __future__ import annotations

from itertools import count

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dashboard.retention import keeps_all, keeps_for_fleet, keeps_minute_detail
from dashboard.series import Frame
from schemas.metrics import MetricsMessage
from tests.dashboard.messages import HOUR_MS, block_of, message, row

SPAN_MS = 50 * HOUR_MS

states = st.lists(st.tuples(st.integers(0, 120), st.integers(1, 5)), max_size=150)


def state_of(hour: int, revision: int) -> MetricsMessage:
    """The state of one window at a revision; recall comes and goes with the revisions."""
    rows = [row("f1_score", hour + revision / 10, revision, low=hour, high=hour + 1.0)]
    if (hour + revision) % 3:
        rows.append(row("recall", revision))
    return message("1h", hour * HOUR_MS, *rows, revision=revision, final=revision > 2)


@given(st.lists(st.tuples(st.booleans(), states), max_size=4))
def test_any_order_of_states_one_by_one_or_many_at_once_ends_in_the_newest_state_of_each_window_of_the_span(
    order: list[tuple[bool, list[tuple[int, int]]]],
) -> None:
    frame = Frame(SPAN_MS, 10)
    newest: dict[int, int] = {}
    stamps = count(1)
    for at_once, batch in order:
        if at_once:
            frame.merge(block_of([state_of(*each) for each in sorted(dict(sorted(batch)).items())]), next(stamps))
        for hour, revision in batch:
            if not at_once:
                frame.upsert(state_of(hour, revision), next(stamps), keeps_all)
            newest[hour] = max(revision, newest.get(hour, 0))
    kept = {hour: revision for hour, revision in sorted(newest.items()) if hour > max(newest) - SPAN_MS // HOUR_MS}
    assert (frame.times // HOUR_MS).tolist() == list(kept)
    for metric in ("f1_score", "recall"):
        found = frame.points("", metric)
        wanted = {hour: each for hour, revision in kept.items() for each in state_of(hour, revision).rows if each.metric == metric}
        assert (found.times // HOUR_MS).tolist() == list(wanted)
        assert found.value.tolist() == [each.value for each in wanted.values()]
        assert found.n.tolist() == [each.n for each in wanted.values()]
        np.testing.assert_equal(found.low, [np.nan if each.low is None else each.low for each in wanted.values()])
        assert found.final.tolist() == [kept[hour] > 2 for hour in wanted]


@given(states, st.integers(0, 150))
def test_a_reader_pulls_just_the_rows_that_changed_after_its_cursor(order: list[tuple[int, int]], cursor: int) -> None:
    frame = Frame(SPAN_MS, 10)
    changed: dict[int, int] = {}
    for stamp, (hour, revision) in enumerate(order, 1):
        if frame.upsert(state_of(hour, revision), stamp, keeps_all):
            changed[hour] = stamp
    kept = set((frame.times // HOUR_MS).tolist())
    pulled = frame.pull([("", "f1_score"), ("", "never seen")], cursor)
    assert (pulled.times // HOUR_MS).tolist() == sorted(hour for hour, stamp in changed.items() if stamp > cursor and hour in kept)
    assert np.isnan(pulled.values["", "never seen"]).all()
    assert not np.isnan(pulled.values["", "f1_score"][:, 0]).any()


def test_an_older_state_changes_nothing() -> None:
    frame = Frame(SPAN_MS, 10)
    assert frame.upsert(message("1h", 0, row("recall", 0.9), revision=5), 1, keeps_all)
    assert not frame.upsert(message("1h", 0, row("recall", 0.1), revision=4), 2, keeps_all)
    assert frame.points("", "recall").value.tolist() == [0.9]
    assert frame.stamp == 1


def test_a_pipeline_that_was_started_afresh_counts_revisions_from_one_and_is_believed() -> None:
    frame = Frame(SPAN_MS, 10)
    frame.upsert(message("1h", 0, row("recall", 0.9), revision=50, updated_at=1_000), 1, keeps_all)
    assert frame.upsert(message("1h", 0, row("recall", 0.2), revision=1, updated_at=2_000), 2, keeps_all)
    assert frame.points("", "recall").value.tolist() == [0.2]


def test_a_number_that_a_newer_state_no_longer_has_is_gone() -> None:
    frame = Frame(SPAN_MS, 10)
    frame.upsert(message("1h", 0, row("recall", 0.9), row("accuracy", 0.8)), 1, keeps_all)
    frame.upsert(message("1h", 0, row("accuracy", 0.7), revision=2), 2, keeps_all)
    assert len(frame.points("", "recall")) == 0
    assert frame.points("", "accuracy").value.tolist() == [0.7]


def test_memory_is_bounded_in_time_and_in_columns() -> None:
    frame = Frame(SPAN_MS, 3)
    for hour in range(2_000):
        rows = [row("input_null_percentage", 1.0, dimension=f"feature={hour}-{each}") for each in range(3)]
        frame.upsert(message("1h", hour * HOUR_MS, *rows), hour + 1, keeps_all)
    assert len(frame) == 50
    assert len(list(frame.columns)) == 3
    assert frame.dropped_columns == 1_999 * 3
    assert len(frame._times) <= 128


def test_the_fleet_keeps_headlines_without_classes_and_a_minute_chart_only_its_lines() -> None:
    assert keeps_for_fleet("", "f1_score")
    assert keeps_for_fleet("feature=age", "input_null_percentage")
    assert not keeps_for_fleet("class=1", "f1_score")
    assert not keeps_for_fleet("", "latency_max_ms")
    assert keeps_minute_detail("", "latency_p50_ms")
    assert not keeps_minute_detail("feature=age", "input_null_percentage")
    assert not keeps_minute_detail("", "f1_score")
