"""After the label horizon a record is forgotten, without a look at all of them, and outcomes that found no prediction are counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.cells import Kind
from pipeline.settings import ModelSettings
from pipeline.shard.state import EXPIRY, RECORDS
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import NOW, outcome, prediction
from tests.pipeline.shards import OneShard, with_settings

HOUR, DAY = 3_600_000, 86_400_000
TEN_HOURS = with_settings(label_horizon_ms=10 * HOUR)
START = NOW - NOW % HOUR


def served(number: int, at: int, **fields: Any) -> dict[str, Any]:
    return prediction(prediction_id=f"p{number}", created_at=at, **fields)


def known(number: int, at: int, **fields: Any) -> dict[str, Any]:
    return outcome(prediction_id=f"p{number}", created_at=at, label=1, **fields)


def stored(shard: OneShard, family: str = RECORDS) -> int:
    return sum(1 for _ in shard.shard._state.store.scan(family))


@pytest.fixture
def shard(tmp_path: Path) -> OneShard:
    return OneShard(tmp_path / "shard", TEN_HOURS)


def test_a_prediction_is_remembered_for_its_horizon_and_then_forgotten(shard: OneShard) -> None:
    shard.played(PREDICTIONS, served(1, START), served(2, START + 3 * HOUR))
    shard.advance(START + 10 * HOUR)
    assert stored(shard) == 2
    shard.advance(START + 11 * HOUR + 1)
    assert stored(shard) == 1
    shard.advance(START + 14 * HOUR + 1)
    assert (stored(shard), stored(shard, EXPIRY)) == (0, 0)
    assert shard.updates[-1].counts["expired predictions"] == 2


def test_a_model_may_have_a_horizon_of_its_own(tmp_path: Path) -> None:
    shard = OneShard(tmp_path, replace(TEN_HOURS, models={"churn": ModelSettings(label_horizon_ms=HOUR)}))
    shard.played(PREDICTIONS, served(1, START), served(2, START, model="other"))
    shard.advance(START + 3 * HOUR)
    assert stored(shard) == 1


def test_the_label_of_a_forgotten_prediction_stays_counted(shard: OneShard) -> None:
    shard.played(PREDICTIONS, served(1, START))
    shard.played(OUTCOMES, known(1, START + HOUR))
    shard.advance(START + 20 * HOUR)
    assert stored(shard) == 0
    assert shard.value(Kind.LABELLED, "1d", START - START % DAY) == 1


def test_outcomes_hold_expiry_back_as_long_as_they_are_further_behind(shard: OneShard) -> None:
    shard.played(PREDICTIONS, served(1, START))
    shard.played(OUTCOMES, known(9, START))
    shard.played(PREDICTIONS, served(2, START + 20 * HOUR))
    assert stored(shard) == 3
    shard.played(OUTCOMES, known(1, START + 5 * HOUR))
    assert shard.value(Kind.LABELLED, "1d", START - START % DAY) == 1


def test_an_outcome_whose_prediction_never_comes_is_counted_once_at_its_own_time(shard: OneShard) -> None:
    shard.played(OUTCOMES, known(1, START + HOUR))
    shard.advance(START + 11 * HOUR)
    assert shard.windows(Kind.UNMATCHED) == set()
    shard.advance(START + 13 * HOUR)
    assert {window: start for window, start in shard.windows(Kind.UNMATCHED) if window == "1h"} == {"1h": START + HOUR}
    assert shard.value(Kind.UNMATCHED, "1h", START + HOUR) == 1
    assert (stored(shard), shard.updates[-1].counts["unmatched outcomes"]) == (0, 1)


def test_an_outcome_that_found_its_prediction_is_not_counted_as_unmatched(shard: OneShard) -> None:
    shard.played(OUTCOMES, known(1, START))
    shard.played(PREDICTIONS, served(1, START))
    shard.advance(START + 30 * HOUR)
    assert shard.windows(Kind.UNMATCHED) == set()
    assert shard.updates[-1].counts["expired predictions"] == 1


def test_an_outcome_that_expires_in_the_commit_that_brings_its_prediction_counts_once(shard: OneShard) -> None:
    shard.played(OUTCOMES, known(1, START))
    shard.advance(START + 11 * HOUR)
    shard.take(PREDICTIONS, served(2, START + 12 * HOUR))
    shard.take(OUTCOMES, known(3, START + 12 * HOUR))
    shard.take(PREDICTIONS, served(1, START + HOUR))
    shard.commit()
    day = START - START % DAY
    assert shard.value(Kind.UNMATCHED, "1d", day) + shard.value(Kind.CONFUSION, "1d", day, a=1, b=1) == 1


def test_what_expires_is_forgotten_even_when_an_outcome_comes_for_it_at_that_moment(shard: OneShard) -> None:
    shard.played(PREDICTIONS, served(1, START))
    shard.take(PREDICTIONS, served(2, START + 12 * HOUR))
    shard.take(OUTCOMES, known(3, START + 12 * HOUR))
    shard.take(OUTCOMES, known(1, START + 5 * HOUR))
    shard.commit()
    shard.advance(START + 40 * HOUR, commits=2)
    assert (stored(shard), stored(shard, EXPIRY)) == (0, 0)


def test_an_id_that_is_used_again_is_kept_for_the_new_ones_horizon(shard: OneShard) -> None:
    shard.played(PREDICTIONS, served(1, START))
    shard.played(PREDICTIONS, served(1, START + 10 * HOUR + 1))
    shard.advance(START + 12 * HOUR)
    assert stored(shard) == 1
    shard.played(PREDICTIONS, served(1, START + 10 * HOUR + 2))
    assert shard.updates[-1].counts["duplicates"] == 1
    shard.advance(START + 23 * HOUR)
    assert stored(shard) == 0


def test_a_horizon_that_is_made_longer_holds_for_what_is_there_already(tmp_path: Path) -> None:
    shard = OneShard(tmp_path, TEN_HOURS)
    shard.played(PREDICTIONS, served(1, START))
    shard.close()
    for _ in range(2):
        shard = OneShard(tmp_path, replace(TEN_HOURS, label_horizon_ms=30 * HOUR))
        shard.offsets = {PREDICTIONS: 10, OUTCOMES: 10}
        shard.advance(START + 12 * HOUR)
        assert stored(shard) == 1
        shard.close()
    shard = OneShard(tmp_path, replace(TEN_HOURS, label_horizon_ms=30 * HOUR))
    shard.offsets = {PREDICTIONS: 20, OUTCOMES: 20}
    shard.played(PREDICTIONS, served(1, START))
    assert shard.updates[-1].counts["duplicates"] == 1
    shard.advance(START + 32 * HOUR)
    assert (stored(shard), stored(shard, EXPIRY)) == (0, 0)


def test_expiry_takes_a_bounded_part_at_a_time_oldest_first(shard: OneShard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shard.shard.IDS_AT_LEAST", 10)
    shard.played(PREDICTIONS, *(served(number, START + number * HOUR) for number in range(30)))
    left = [(stored(shard), stored(shard, EXPIRY))]
    shard.advance(START + 100 * HOUR)
    left.append((stored(shard), stored(shard, EXPIRY)))
    while shard.commit():
        left.append((stored(shard), stored(shard, EXPIRY)))
    assert left == [(30, 30), (20, 20), (10, 10), (0, 0), (0, 0)]


def test_what_is_read_when_its_hour_has_long_passed_expires_too(shard: OneShard) -> None:
    shard.played(PREDICTIONS, *(served(number, START) for number in range(5)))
    shard.advance(START + 50 * HOUR, commits=2)
    assert stored(shard, EXPIRY) == 0
    shard.played(PREDICTIONS, served(9, START + HOUR))
    assert (stored(shard), stored(shard, EXPIRY)) == (1, 1)
    shard.advance(START + 51 * HOUR, commits=2)
    assert (stored(shard), stored(shard, EXPIRY)) == (0, 0)


def test_a_log_whose_times_are_mixed_expires_as_fast_as_it_comes(shard: OneShard) -> None:
    """Each commit holds predictions of hundreds of hours, as when a table of past events is replayed in no order."""
    spread = 300
    for commit in range(12):
        shard.played(PREDICTIONS, *(served(commit * spread + hour, START + hour * HOUR) for hour in range(spread)))
    shard.advance(START + spread * HOUR + 20 * HOUR, commits=14)
    assert (stored(shard), stored(shard, EXPIRY)) == (0, 0)


def test_after_a_restart_repeats_are_known_and_what_is_due_still_expires(tmp_path: Path) -> None:
    shard = OneShard(tmp_path, TEN_HOURS)
    shard.played(PREDICTIONS, *(served(number, START) for number in range(20)))
    shard.close()
    shard = OneShard(tmp_path, TEN_HOURS)
    shard.offsets = {PREDICTIONS: 20, OUTCOMES: 0}
    shard.played(PREDICTIONS, *(served(number, START) for number in range(21)))
    assert (shard.updates[-1].counts["duplicates"], shard.updates[-1].counts["predictions"]) == (20, 1)
    shard.advance(START + 12 * HOUR, commits=2)
    assert stored(shard) == 0
