"""Outcomes wait for their prediction each on its own, in a real store: none is lost for another, and each is counted once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cells import Kind
from pipeline.columns import Progress
from pipeline.route import slices
from pipeline.shard.seen import SeenIds
from pipeline.shard.state import EXPIRY, RECORDS, WAITING
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import NOW, outcome, prediction
from tests.pipeline.one_at_a_time import HORIZON_MS, Event, Known, Served, at_once, sums, unmatched
from tests.pipeline.shards import OneShard, with_settings
from tests.pipeline.test_join import logs, without_reuse

HOUR, DAY = 3_600_000, 86_400_000
TEN_HOURS = with_settings(label_horizon_ms=10 * HOUR)
START = NOW - NOW % DAY
"""All of a test happens on this day, or the next."""


def served(at: int, id_: str = "p", **fields: Any) -> dict[str, Any]:
    return prediction(prediction_id=id_, created_at=at, **fields)


def known(at: int, id_: str = "p", **fields: Any) -> dict[str, Any]:
    return outcome(prediction_id=id_, created_at=at, **fields)


def stored(shard: OneShard) -> tuple[int, ...]:
    """Return how many records, entries and notes are stored."""
    return tuple(sum(1 for _ in shard.shard._state.store.scan(family)) for family in (RECORDS, WAITING, EXPIRY))


def total(shard: OneShard, kind: Kind) -> float:
    """Return the sum of a kind of cell over all days, variants and classes."""
    return sum(value for key, value in shard.told.items() if (key[0], key[2], key[3] >> 56) == ("1d", ("churn", "*", "*"), int(kind)))


def agreed(shard: OneShard) -> float:
    """Return how many labels are what was predicted, where that is the first number that was met."""
    return sum(shard.value(Kind.CONFUSION, "1d", day, a=1, b=1) for day in (START, START + DAY))


def unmatched_hours(shard: OneShard) -> dict[int, float]:
    """Return how many outcomes are counted as unmatched, by the hour since the start."""
    found = {start for window, start in shard.windows(Kind.UNMATCHED) if window == "1h"}
    return {(start - START) // HOUR: shard.value(Kind.UNMATCHED, "1h", start) for start in sorted(found)}


@pytest.fixture
def shard(tmp_path: Path) -> OneShard:
    return OneShard(tmp_path / "shard", TEN_HOURS)


def reopened(shard: OneShard, settings: Any = TEN_HOURS) -> OneShard:
    """Return the shard after a restart."""
    folder = shard.shard._state.store.folder
    shard.close()
    again = OneShard(folder, settings)
    again.offsets, again.told = shard.offsets, shard.told
    return again


def forget_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shard that is reopened forget the ids that it has seen in the smallest parts."""
    monkeypatch.setattr("pipeline.shard.expiry.SeenIds", partial(SeenIds, first_capacity=1))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_a_label_counts_though_a_correction_that_comes_too_late_was_read_too(shard: OneShard, order: tuple[int, ...]) -> None:
    events = [(PREDICTIONS, served(START)), (OUTCOMES, known(START + HOUR, label=1)), (OUTCOMES, known(START + 11 * HOUR, label=0))]
    for step in order:
        topic, event = events[step]
        shard.played(topic, event)
    assert agreed(shard) == total(shard, Kind.LABELLED) == 1
    shard.advance(START + 20 * HOUR)
    assert unmatched_hours(shard) == {}
    shard.advance(START + 23 * HOUR)
    assert (unmatched_hours(shard), stored(shard)) == ({11: 1}, (0, 0, 0))
    assert total(shard, Kind.LABELLED) == 1


def test_after_a_restart_what_waits_is_found(shard: OneShard) -> None:
    shard.played(OUTCOMES, known(START + 11 * HOUR, label=0), known(START + HOUR, label=1))
    shard = reopened(shard)
    shard.played(PREDICTIONS, served(START))
    assert agreed(shard) == total(shard, Kind.LABELLED) == 1
    shard = reopened(shard)
    shard.played(PREDICTIONS, served(START + 10 * HOUR + 1, prediction=0))
    assert total(shard, Kind.LABELLED) == 2


def test_an_outcome_too_far_from_its_prediction_counts_for_one_that_uses_the_id_again(shard: OneShard) -> None:
    shard.played(PREDICTIONS, served(START))
    shard.played(OUTCOMES, known(START + 11 * HOUR, label=1), known(START + 25 * HOUR, label=0))
    assert stored(shard) == (1, 2, 3)
    shard.played(PREDICTIONS, served(START + 10 * HOUR + 1))
    assert shard.value(Kind.LABELLED, "1h", START + 10 * HOUR) == agreed(shard) == total(shard, Kind.LABELLED) == 1
    shard.advance(START + 23 * HOUR)
    assert unmatched_hours(shard) == {}
    shard.advance(START + 37 * HOUR)
    assert (unmatched_hours(shard), stored(shard)) == ({25: 1}, (0, 0, 0))


def test_each_outcome_of_an_unknown_prediction_is_counted_when_its_own_horizon_has_passed(shard: OneShard) -> None:
    shard.played(OUTCOMES, *(known(START + hour * HOUR, label=1) for hour in (5, 3, 0)))
    shard.played(OUTCOMES, known(START + 8 * HOUR, converted=True), known(START + 3 * HOUR, revenue_generated=1.0))
    shard = reopened(shard)
    assert stored(shard)[:2] == (1, 4)
    seen = []
    for hour in (9, 12, 14, 16, 19):
        shard.advance(START + hour * HOUR + 1)
        seen.append(unmatched_hours(shard))
    assert seen == [{}, {0: 1}, {0: 1, 3: 2}, {0: 1, 3: 2, 5: 1}, {0: 1, 3: 2, 5: 1, 8: 1}]
    assert (stored(shard), shard.updates[-1].counts["unmatched outcomes"]) == ((0, 0, 0), 5)


def test_what_expires_does_so_by_full_hours_whatever_else_of_its_id_is_looked_at(shard: OneShard) -> None:
    shard.played(OUTCOMES, known(START, label=1), known(START + 3 * HOUR // 2, label=1))
    shard.advance(START + 47 * HOUR // 4)
    assert unmatched_hours(shard) == {0: 1}
    shard.advance(START + 12 * HOUR)
    assert unmatched_hours(shard) == {0: 1, 1: 1}


def test_a_prediction_takes_what_waits_near_enough_and_leaves_the_rest(shard: OneShard) -> None:
    shard.played(OUTCOMES, *(known(START + hour * HOUR, label=1) for hour in (0, 1, 2, 20, 23)))
    shard.played(OUTCOMES, known(START + 21 * HOUR, label=0), known(START + HOUR, "other", label=0))
    shard.played(OUTCOMES, known(START + 22 * HOUR, converted=True), known(START + 2 * HOUR, revenue_generated=3.0))
    shard.played(PREDICTIONS, served(START + 12 * HOUR), served(START + 12 * HOUR))
    assert (agreed(shard), total(shard, Kind.LABELLED)) == (0, 1)
    assert (total(shard, Kind.CONVERTED), total(shard, Kind.REVENUE)) == (1, 3)
    shard.advance(START + 40 * HOUR, commits=2)
    assert (unmatched_hours(shard), stored(shard)) == ({0: 1, 1: 2, 23: 1}, (0, 0, 0))


def test_an_outcome_that_is_too_early_for_a_known_prediction_is_counted_before_that_expires(shard: OneShard) -> None:
    shard.played(PREDICTIONS, served(START + 20 * HOUR))
    shard.played(OUTCOMES, known(START + HOUR, label=1))
    shard.advance(START + 21 * HOUR)
    assert (unmatched_hours(shard), stored(shard)[:2]) == ({1: 1}, (1, 0))
    shard.played(OUTCOMES, known(START + 21 * HOUR, label=1))
    assert total(shard, Kind.LABELLED) == 1


def test_what_is_due_when_it_is_read_is_counted_before_the_shard_has_nothing_to_do(shard: OneShard) -> None:
    shard.take(OUTCOMES, *(known(START + hour * HOUR, str(hour % 2), label=1) for hour in range(40)))
    shard.take(PREDICTIONS, served(START + 40 * HOUR, "s"))
    shard.commit()
    assert shard.shard.due_at_ms is not None
    assert shard.commit() is not None
    assert shard.shard.due_at_ms is None
    assert shard.commit() is None
    assert list(unmatched_hours(shard)) == list(range(29))


def test_what_is_due_is_counted_though_nothing_comes_any_more(shard: OneShard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes that become idle no longer hold it up, and a run that was in a hurry leaves it to the next one."""
    monkeypatch.setattr("pipeline.shard.shard.IDS_AT_LEAST", 1)
    shard.played(OUTCOMES, *(known(START, id_, label=1) for id_ in "abc"))
    shard.played(PREDICTIONS, served(START + 30 * HOUR))
    assert unmatched_hours(shard) == {}
    shard.take(OUTCOMES, idle=True)
    assert shard.commit() is not None
    shard = reopened(shard)
    shard.take(OUTCOMES, idle=True)
    while shard.commit():
        pass
    assert unmatched_hours(shard) == {0: 3}


def test_what_is_read_in_one_commit_meets_before_anything_of_it_expires(shard: OneShard) -> None:
    """A commit may span months of event time: what waits when it begins is not too late for a prediction that it holds."""
    shard.played(OUTCOMES, known(START + 5 * HOUR, label=1), known(START, converted=True), known(START + 6 * HOUR, revenue_generated=2.0))
    shard.played(PREDICTIONS, served(START + HOUR, "q"))
    shard.take(OUTCOMES, known(START + 2 * HOUR, "q", label=1), known(START + 30 * HOUR, "r", label=1))
    shard.take(OUTCOMES, known(START + 25 * HOUR, "q", label=1))
    shard.take(PREDICTIONS, served(START + 30 * HOUR, "s"), served(START + HOUR))
    shard.commit()
    assert [total(shard, kind) for kind in (Kind.LABELLED, Kind.OUTCOME_KNOWN, Kind.REVENUE_COUNT)] == [2, 1, 1]
    shard.advance(START + 42 * HOUR, commits=2)
    assert (unmatched_hours(shard), stored(shard)) == ({25: 1, 30: 1}, (0, 0, 0))


def test_where_the_horizon_is_made_longer_all_that_waits_does_so_longer(shard: OneShard, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_soon(monkeypatch)
    longer = replace(TEN_HOURS, label_horizon_ms=20 * HOUR)
    shard.played(OUTCOMES, *(known(START + hour * HOUR, label=1) for hour in range(3)))
    shard.played(OUTCOMES, known(START, "q", label=1), known(START + HOUR, "q", label=1))
    shard = reopened(shard, longer)
    shard.played(OUTCOMES, *(known(START + 15 * HOUR, f"r{number}", label=1) for number in range(20)))
    shard.advance(START + 15 * HOUR)
    assert (unmatched_hours(shard), stored(shard)[:2]) == ({}, (22, 3))
    shard.advance(START + 16 * HOUR)
    shard.played(PREDICTIONS, served(START + 16 * HOUR))
    assert total(shard, Kind.LABELLED) == 1
    shard.advance(START + 22 * HOUR)
    assert unmatched_hours(shard) == {0: 1, 1: 1}
    shard.advance(START + 37 * HOUR)
    assert (unmatched_hours(shard), stored(shard)) == ({0: 1, 1: 1, 15: 20}, (0, 0, 0))


def test_a_flood_of_outcomes_for_one_id_expires_in_bounded_parts(shard: OneShard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shard.shard.IDS_AT_LEAST", 10_000)
    shard.played(OUTCOMES, *(known(START + number, label=1) for number in range(50_000)))
    left = []
    for _ in range(6):
        shard.advance(START + 30 * HOUR)
        left.append((*stored(shard)[:2], total(shard, Kind.UNMATCHED)))
    assert left == [(1, 39_999, 10_001), (1, 29_999, 20_001), (1, 19_999, 30_001), (1, 9_999, 40_001), (0, 0, 50_000), (0, 0, 50_000)]
    assert stored(shard) == (0, 0, 0)


def test_an_id_that_is_due_and_has_not_expired_yet_is_still_known(shard: OneShard, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_soon(monkeypatch)
    monkeypatch.setattr("pipeline.shard.shard.IDS_AT_LEAST", 10)
    shard.played(OUTCOMES, *(known(START, f"o{number}", label=1) for number in range(10)))
    shard.played(OUTCOMES, *(known(START, label=1) for _ in range(30)))
    shard = reopened(shard)
    for _ in range(2):
        shard.played(OUTCOMES, *(known(START + 30 * HOUR, f"q{number}", label=1) for number in range(100)))
    shard.advance(START + 30 * HOUR)
    assert unmatched_hours(shard) == {0: 10}
    shard.played(OUTCOMES, known(START + 30 * HOUR, label=1))
    shard.advance(START + 42 * HOUR, commits=40)
    assert (unmatched_hours(shard), stored(shard)) == ({0: 40, 30: 201}, (0, 0, 0))


def test_of_a_flood_of_outcomes_the_newest_counts_for_the_prediction_that_comes_at_last(shard: OneShard) -> None:
    shard.played(OUTCOMES, *(known(START + number, label=0) for number in range(5_000)), known(START + 6_000, label=1))
    shard.played(PREDICTIONS, served(START))
    assert agreed(shard) == 1
    assert (total(shard, Kind.LABELLED), stored(shard)[:2]) == (1, (1, 0))


def sent(event: Event) -> tuple[str, dict[str, Any]]:
    """Return an event as its service sends it."""
    if isinstance(event, Served):
        return PREDICTIONS, served(START + event.at, str(event.id), prediction=event.answer)
    fields = {"label": event.label, "converted": event.converted, "revenue_generated": event.revenue}
    return OUTCOMES, known(START + event.at, str(event.id), **{name: value for name, value in fields.items() if value is not None})


def numbered(events: Iterable[Event]) -> list[Event]:
    """Return the events with the ties that a partition gives them: its offsets."""
    offset = itertools.count()
    return [replace(event, tie=next(offset)) if isinstance(event, Known) else replace(event, variant=0) for event in events]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs().map(without_reuse).filter(bool).map(numbered), st.randoms(use_true_random=False))
def test_nothing_that_a_partition_far_behind_holds_up_is_lost_or_counted_twice(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], rng: Random
) -> None:
    behind = {PREDICTIONS: frozenset({0, 1}), OUTCOMES: frozenset({0})}
    shard = OneShard(tmp_path_factory.mktemp("shard"), with_settings(label_horizon_ms=HORIZON_MS), behind)
    queues = {kind: iter([event for event in events if isinstance(event, kind)]) for kind in (Served, Known)}
    for kind in rng.sample([type(event) for event in events], len(events)):
        shard.take(*sent(next(queues[kind])))
        if rng.random() < 0.5:
            shard.commit()
    for hour in (2, 3):
        shard.shard.take(slices(Progress(PREDICTIONS, 1, hour, hour + 1, START + hour * HOUR, False), None, None, 1)[0])
        shard.advance(START + hour * HOUR)
        while shard.commit():
            pass
    naive = at_once(events)
    expected = sums(naive)
    cells = {"labelled": Kind.LABELLED, "known": Kind.OUTCOME_KNOWN, "converted": Kind.CONVERTED, "revenue": Kind.REVENUE}
    assert [total(shard, cell) for cell in cells.values()] == [
        sum(value for (_, what, _), value in expected.items() if what == name) for name in cells
    ]
    assert total(shard, Kind.UNMATCHED) == len(unmatched(naive))
    assert stored(shard) == (0, 0, 0)
