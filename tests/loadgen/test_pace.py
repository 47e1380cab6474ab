from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from loadgen.pace import Tokens, event_clock
from loadgen.scenario import Scenario
from loadgen.schedule import Event, Schedule
from loadgen.traffic import DAY_MS, daily_shape, events_per_prediction, shape_of_models

NOW = 1_700_000_000_000


def test_event_time_is_the_wall_clock_by_default() -> None:
    clock = event_clock(NOW, 1.0, None)
    assert [clock.at(0), clock.at(2.5)] == [NOW, NOW + 2_500]


def test_a_fast_run_begins_in_the_past_and_ends_now() -> None:
    clock = event_clock(NOW, 60.0, 30.0)
    assert clock.at(0) == NOW - 30_000 * 59
    assert clock.at(30) == NOW + 30_000


@given(speed=st.floats(0.1, 5_000), elapsed_s=st.floats(0, 100_000), duration_s=st.none() | st.floats(1, 10_000))
def test_event_time_is_never_ahead_of_the_wall_clock(speed: float, elapsed_s: float, duration_s: float | None) -> None:
    assert event_clock(NOW, speed, duration_s).at(elapsed_s) <= NOW + elapsed_s * 1000 + 1


@given(rate=st.floats(1, 200_000), steps=st.lists(st.floats(0.001, 0.5), min_size=1, max_size=50))
def test_tokens_do_not_drift_however_time_is_cut(rate: float, steps: list[float]) -> None:
    tokens, elapsed = Tokens(rate), 0.0
    for step in steps:
        elapsed += step
        tokens.spent += max(tokens.available(elapsed), 0)
    assert tokens.spent == int(rate * elapsed)


def test_what_a_long_outage_missed_is_given_up() -> None:
    tokens = Tokens(100.0, spent=50)
    tokens.forgive(60.0)
    assert tokens.available(61.0) == 100


def test_a_day_of_traffic_has_the_mean_that_was_asked(demo: Scenario) -> None:
    monday = 4 * DAY_MS
    week = [shape_of_models(demo, monday + hour * 3_600_000).sum() for hour in range(7 * 24)]
    assert abs(sum(week) / len(week) - 1) < 0.01
    assert max(week) > 1.5 * min(week)


def test_traffic_peaks_at_the_peak_hour(demo: Scenario) -> None:
    churn = demo.models[0]
    tuesday = 5 * DAY_MS
    by_hour = [daily_shape(churn, tuesday + hour * 3_600_000) for hour in range(24)]
    assert by_hour.index(max(by_hour)) == 15


def test_outcomes_and_duplicates_count_as_events(demo: Scenario) -> None:
    assert 2.2 < events_per_prediction(demo) < 2.6


def _event(due_ms: int, number: int) -> Event:
    return Event(due_ms, number, "predictions", b"", b"")


@given(dues=st.lists(st.integers(0, 100)), cut=st.integers(0, 101))
def test_a_schedule_gives_what_is_due_in_order_and_keeps_the_rest(dues: list[int], cut: int) -> None:
    schedule, numbers = Schedule(), itertools.count()
    for due in dues:
        schedule.add(_event(due, next(numbers)))
    taken = schedule.pop_before(cut)
    assert [event.due_ms for event in taken] == sorted(due for due in dues if due < cut)
    assert len(schedule) == sum(due >= cut for due in dues)


def test_a_full_schedule_keeps_no_more_and_counts_it() -> None:
    schedule = Schedule(limit=2)
    for number in range(5):
        schedule.add(_event(number, number))
    assert (len(schedule), schedule.refused) == (2, 3)
