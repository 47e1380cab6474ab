from __future__ import annotations

import msgspec
import numpy as np
import pytest

from loadgen.history import HistoryBlock, history_blocks
from loadgen.models import Trained
from loadgen.scenario import Scenario
from loadgen.schedule import Event, Schedule
from loadgen.traffic import DAY_MS
from schemas.events import EventTime, Outcome, Prediction
from schemas.topics import OUTCOMES, PREDICTIONS

NOW = 1_700_000_123_456
DAYS = 8.0


@pytest.fixture(scope="module")
def blocks(demo: Scenario, trained: dict[str, Trained]) -> list[HistoryBlock]:
    return list(history_blocks(demo, trained, DAYS, NOW, 1, Schedule()))


@pytest.fixture(scope="module")
def events(blocks: list[HistoryBlock]) -> list[Event]:
    return [event for block in blocks for event in block.events]


def _ms(moment: EventTime) -> float:
    return moment if isinstance(moment, (int, float)) else moment.timestamp() * 1000


def test_eight_days_hold_about_a_hundred_thousand_predictions(blocks: list[HistoryBlock]) -> None:
    assert sum(block.predictions for block in blocks) == pytest.approx(100_000, rel=0.1)


def test_events_come_in_the_order_of_their_time_and_none_lies_ahead(events: list[Event]) -> None:
    due = [event.due_ms for event in events]
    assert due == sorted(due)
    assert due[-1] < NOW
    assert due[0] < NOW - (DAYS - 0.1) * DAY_MS


def test_event_times_lie_in_the_past_and_outcomes_after_their_predictions(events: list[Event]) -> None:
    made: dict[str, float] = {}
    for event in events:
        if event.topic == PREDICTIONS:
            prediction = msgspec.json.decode(event.value, type=Prediction)
            made[prediction.prediction_id] = _ms(prediction.created_at)
    assert max(made.values()) < NOW
    delays = []
    for event in events:
        if event.topic == OUTCOMES:
            outcome = msgspec.json.decode(event.value, type=Outcome)
            if outcome.prediction_id in made:
                delays.append(_ms(outcome.created_at) - made[outcome.prediction_id])
    assert min(delays) >= 60_000
    assert max(delays) <= DAY_MS + 1
    assert len(delays) > 100_000


def test_the_vast_majority_is_labelled(events: list[Event]) -> None:
    predictions = {event.key for event in events if event.topic == PREDICTIONS}
    labelled = {event.key for event in events if event.topic == OUTCOMES and b'"label"' in event.value}
    assert len(labelled & predictions) / len(predictions) > 0.88


def test_a_history_that_is_sent_again_the_same_day_repeats_the_same_events(demo: Scenario, trained: dict[str, Trained]) -> None:
    def of_day(now_ms: int) -> dict[tuple[str, bytes, int], bytes]:
        blocks = history_blocks(demo, trained, 0.5, now_ms, 1, Schedule())
        return {(event.topic, event.key, event.due_ms): event.value for block in blocks for event in block.events}

    earlier, later = of_day(NOW), of_day(NOW + 1_800_000)
    assert np.mean([later.get(key) == value for key, value in earlier.items() if key[2] > NOW - DAY_MS // 4]) > 0.99
    assert set(earlier) - set(later) == set()
