from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loadgen.delays import draw_delays
from loadgen.pace import Stopwatch, Tokens, event_clock
from loadgen.scenario import Scenario
from loadgen.schedule import Event, Schedule
from loadgen.traffic import DAY_MS, daily_shape, events_per_prediction, shape_of_models
from schemas.topics import OUTCOMES, PREDICTIONS

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


def test_a_full_schedule_keeps_what_is_due_soon_and_counts_what_it_does_not_keep() -> None:
    schedule = Schedule(limit=20)
    for number in range(40):
        schedule.add(replace(_event(100 - number, number), topic=OUTCOMES))
    kept = [event.due_ms for event in schedule.pop_before(1_000)]
    assert kept[:15] == list(range(61, 76))
    assert schedule.evicted == 40 - len(kept) >= 20


def test_a_full_schedule_keeps_predictions() -> None:
    """Outcomes of a prediction that is held back may have been sent."""
    schedule = Schedule(limit=10)
    for number in range(5):
        schedule.add(_event(1_000, number))
    for number in range(5, 50):
        schedule.add(replace(_event(10, number), topic=OUTCOMES))
    assert sum(event.topic == PREDICTIONS for event in schedule.pop_before(2_000)) == 5


def test_labels_of_all_models_come_alike_when_more_are_to_come_than_are_kept(demo: Scenario) -> None:
    """Those that come last, hours from now, used to fill the schedule, so that the models that are generated last had no labels."""
    rng, schedule, numbers = np.random.default_rng(1), Schedule(limit=700), itertools.count()
    predictions, labels = Counter[str](), Counter[str]()
    for second in range(1_800):
        if second == 900:
            predictions.clear()
            labels.clear()
        labels.update(event.topic for event in schedule.pop_before(second * 1_000))
        for model in demo.models:
            known, delays = draw_delays(rng, model.label, 8)
            predictions[model.name] += 8
            for delay in delays[known].tolist():
                schedule.add(Event(second * 1_000 + delay, next(numbers), model.name, b"", b""))
    shares = [labels[model.name] / predictions[model.name] / model.label.share for model in demo.models]
    assert schedule.evicted > 0
    assert all(0.85 < share <= 1.02 for share in shares)


def test_a_machine_that_has_slept_goes_on_at_the_time_that_it_is() -> None:
    now = {"monotonic": 100.0, "wall": 5_000.0}
    watch = Stopwatch(lambda: now["monotonic"], lambda: now["wall"])
    now.update(monotonic=110.0, wall=5_010.5)
    assert watch.elapsed() == 10
    now.update(monotonic=111.0, wall=8_611.0)
    assert watch.elapsed() == 3_611
    now.update(monotonic=112.0, wall=8_000.0)  # set back: event time never is
    assert watch.elapsed() == 3_612
