"""A shard over its commits: each is whole or not there, and what was committed is neither counted twice nor forgotten."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cells import Kind, cell_a, cell_b, cell_kind
from pipeline.panes import merge
from pipeline.publish.names import PublishedNames
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import NOW, outcome, prediction
from tests.pipeline.panes_of_cells import entries_of
from tests.pipeline.shards import OneShard, with_settings

HOUR, DAY = 3_600_000, 86_400_000
TODAY = NOW - NOW % DAY


def served(number: int, **fields: object) -> dict[str, object]:
    return prediction(prediction_id=f"p{number}", **fields)


def known(number: int, **fields: object) -> dict[str, object]:
    return outcome(prediction_id=f"p{number}", **{"created_at": NOW, "label": 1, **fields})


def crashed(shard: OneShard, to: Path) -> Path:
    """Return a copy of the shard's folder as a kill -9 at this moment would leave it."""
    shutil.copytree(shard.shard._state.store.folder, to)
    return to


def test_what_was_not_committed_is_read_again_and_what_was_is_passed_over(tmp_path: Path) -> None:
    before = OneShard(tmp_path / "running")
    before.played(PREDICTIONS, served(0), served(1))
    before.take(PREDICTIONS, served(2))
    after = OneShard(crashed(before, tmp_path / "killed"))
    assert after.shard._state.progress == {(PREDICTIONS, 0): 2}
    # The source begins where the slowest shard is: this one sees some events again, in other batches.
    after.played(PREDICTIONS, served(0), served(1), served(2), start=0)
    assert after.updates[-1].counts["predictions"] == 1
    assert after.value(Kind.KEYS, "1d", TODAY) == 3
    assert after.value(Kind.DUPLICATE, "1d", TODAY) == 0


def test_a_batch_that_reaches_into_what_was_committed_counts_only_the_rest(tmp_path: Path) -> None:
    shard = OneShard(tmp_path)
    shard.played(PREDICTIONS, served(0), served(1), start=0)
    shard.played(PREDICTIONS, served(1), served(2), start=1)
    assert (shard.value(Kind.KEYS, "1d", TODAY), shard.value(Kind.DUPLICATE, "1d", TODAY)) == (3, 0)


def test_an_id_that_is_sent_twice_counts_once_and_the_repeat_is_counted_apart(tmp_path: Path) -> None:
    shard = OneShard(tmp_path)
    shard.played(PREDICTIONS, served(0, response_time_ms=5), served(0, response_time_ms=7))
    shard.played(PREDICTIONS, served(0, prediction=0))
    assert shard.value(Kind.KEYS, "1d", TODAY) == 1
    assert shard.value(Kind.LATENCY_SUM, "1d", TODAY) == 5
    assert shard.value(Kind.DUPLICATE, "1d", TODAY) == 2


def test_every_pane_that_the_publisher_may_lack_is_told_again_after_a_start(tmp_path: Path) -> None:
    shard = OneShard(tmp_path / "running")
    shard.played(PREDICTIONS, served(0))
    first = shard.updates[-1].sequence
    shard.acknowledged = first
    shard.played(PREDICTIONS, served(1, created_at=NOW - 3 * DAY))
    told = shard.updates[-1]
    again = OneShard(crashed(shard, tmp_path / "killed"), acknowledged=first).first()[0]
    assert entries_of(again.cells) == entries_of(told.cells)
    assert (again.sequence, again.watermark, again.newest_event_time) == (told.sequence, told.watermark, told.newest_event_time)
    assert again.names["texts"][0] == 0
    everything = OneShard(crashed(shard, tmp_path / "new publisher"), acknowledged=0).first()[0]
    assert len(everything.cells) >= len(told.cells)


def test_a_publisher_that_was_set_back_is_told_everything_until_it_has_it(tmp_path: Path) -> None:
    shard = OneShard(tmp_path / "running")
    shard.played(PREDICTIONS, served(0, created_at=NOW - 3 * DAY))
    shard.acknowledged = shard.updates[-1].sequence
    shard.played(PREDICTIONS, served(1))
    shard.played(PREDICTIONS, served(2))
    killed = OneShard(crashed(shard, tmp_path / "killed"), acknowledged=0)
    (told,) = killed.first()
    assert told.everything
    assert entries_of(told.cells) == entries_of(shard.stored())
    again = OneShard(crashed(killed, tmp_path / "before the publisher has it"), acknowledged=0)
    assert again.first()[0].everything
    known = OneShard(crashed(killed, tmp_path / "once the publisher has it"), acknowledged=told.sequence)
    (rest,) = known.first()
    assert (rest.everything, len(rest.cells)) == (False, 0)


def test_two_histories_of_a_store_are_told_apart_whatever_their_numbers(tmp_path: Path) -> None:
    shard = OneShard(tmp_path / "running")
    shard.played(PREDICTIONS, served(0))
    copy = crashed(shard, tmp_path / "copy")
    shard.close()
    on = OneShard(tmp_path / "running", acknowledged=shard.updates[-1].sequence)
    on.played(PREDICTIONS, served(1), start=1)
    other = OneShard(copy, acknowledged=shard.updates[-1].sequence)
    assert not other.first()[0].everything
    for number in range(2, 5):
        other.played(PREDICTIONS, served(number), start=number)
    back = OneShard(crashed(other, tmp_path / "put back"), acknowledged=on.updates[-1].sequence)
    (told,) = back.first()
    assert told.everything
    assert told.sequence > on.updates[-1].sequence


def test_much_is_told_in_slices_of_which_the_last_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shard.shard._PANES_A_SLICE", 3)
    shard = OneShard(tmp_path / "running")
    shard.played(PREDICTIONS, *(served(number, created_at=NOW - number * DAY) for number in range(4)))
    first = shard.updates[-1].sequence
    shard.acknowledged = first
    shard.played(PREDICTIONS, served(5, segments={"plan": "pro"}))
    lost = OneShard(crashed(shard, tmp_path / "lost"), acknowledged=0)
    slices = lost.first()
    assert len(slices) > 3
    assert entries_of(merge([part.cells for part in slices])) == entries_of(shard.stored())
    assert [part.everything for part in slices] == [True] + [False] * (len(slices) - 1)
    assert [part.more for part in slices] == [True] * (len(slices) - 1) + [False]
    assert {part.sequence for part in slices[:-1]} == {-1}
    assert OneShard(tmp_path / "lost after a part of it was told", acknowledged=-1).first()[0].everything
    told = lost.shard._names.texts.items
    assert [text for part in slices for text in part.names["texts"][1]] == told
    rest = OneShard(crashed(shard, tmp_path / "rest"), acknowledged=first).first()
    assert {(part.everything, part.sequence) for part in rest[:-1]} == {(False, first)}


def test_a_slice_that_is_made_while_commits_go_on_names_all_that_it_speaks_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shard.shard._PANES_A_SLICE", 3)
    shard = OneShard(tmp_path)
    shard.played(PREDICTIONS, *(served(number, created_at=NOW - number * DAY) for number in range(4)))
    names, texts = PublishedNames(), set()
    for number, part in enumerate(shard.shard.unpublished()):
        names.learn(0, part.names)
        names.pane_ids(0, part.cells.pane)
        names.cell_keys(0, part.cells.cell)
        shard.played(PREDICTIONS, served(10 + number, features={f"f{number}": 1}, segments={"n": str(number)}))
        texts |= set(names.texts.items)
    assert "n=0" in texts


def test_an_update_holds_whole_panes_never_differences(tmp_path: Path) -> None:
    shard = OneShard(tmp_path)
    shard.played(PREDICTIONS, served(0))
    shard.played(PREDICTIONS, served(1))
    assert shard.value(Kind.KEYS, "1d", TODAY) == 2
    assert entries_of(merge([shard.updates[-1].cells])) == entries_of(shard.updates[-1].cells)


def test_nothing_read_is_nothing_committed(tmp_path: Path) -> None:
    assert OneShard(tmp_path).commit() is None


def test_the_watermark_survives_a_restart_so_that_late_events_stay_late(tmp_path: Path) -> None:
    shard = OneShard(tmp_path / "running")
    shard.played(PREDICTIONS, served(0))
    again = OneShard(crashed(shard, tmp_path / "killed"))
    again.played(PREDICTIONS, served(1, created_at=NOW - HOUR), start=1)
    assert again.value(Kind.LATE, "1m", NOW - HOUR - (NOW - HOUR) % 60_000) == 1


def test_panes_past_their_retention_are_forgotten_and_late_events_do_not_bring_them_back(tmp_path: Path) -> None:
    shard = OneShard(tmp_path)
    old = NOW - 7 * HOUR
    shard.played(PREDICTIONS, served(0, created_at=old))
    assert shard.value(Kind.KEYS, "10s", old - old % 10_000) == 1
    shard.played(PREDICTIONS, served(1))
    stored = shard.shard._state
    ids = np.unique(shard.updates[0].cells.pane)
    kept = {int(pane) >> 58 for pane in stored.panes(ids).pane.tolist()}
    assert kept == {1, 2, 3}
    update = shard.played(OUTCOMES, known(0))
    assert update is not None
    assert {int(pane) >> 58 for pane in update.cells.pane.tolist()} == {1, 2, 3}
    assert shard.value(Kind.LABELLED, "1m", old - old % 60_000) == 1


ID, BIT, FEW = st.integers(0, 4), st.integers(0, 1), st.integers(0, 9)
SERVED = st.builds(lambda id_, answer, ms: (PREDICTIONS, served(id_, prediction=answer, response_time_ms=ms)), ID, BIT, FEW)
KNOWN = st.builds(
    lambda id_, label, later: (OUTCOMES, known(id_, label=label, created_at=NOW + later, revenue_generated=0.1 * later)), ID, BIT, FEW
)
STEPS = st.lists(st.one_of(SERVED, KNOWN), min_size=1, max_size=10)


def named(shard: OneShard) -> dict[tuple[object, ...], float]:
    """Return all cells that were told; classes by name, since their ids follow the order in which they were met."""
    classes = shard.shard._names.classes.items
    cells: dict[tuple[object, ...], float] = {}
    for (*place, key), value in shard.told.items():
        which = np.array([key], dtype=np.uint64)
        is_confusion = int(cell_kind(which)[0]) == Kind.CONFUSION
        cells[(*place, *([classes[int(part(which)[0])] for part in (cell_a, cell_b)] if is_confusion else [key]))] = value
    return cells


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.randoms(use_true_random=False))
def test_kills_and_cuts_anywhere_change_no_pane(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, dict[str, object]]], rng: random.Random
) -> None:
    at_once = OneShard(tmp_path_factory.mktemp("at-once"))
    for topic, event in steps:
        at_once.take(topic, event)
    at_once.commit()
    cut = OneShard(tmp_path_factory.mktemp("cut"))
    offsets = {PREDICTIONS: 0, OUTCOMES: 0}
    committed, number = 0, 0
    while number < len(steps):
        topic, event = steps[number]
        cut.take(topic, event, start=offsets[topic])
        offsets[topic] += 1
        number += 1
        chance = rng.random()
        if chance < 0.4:
            cut.commit()
            committed = number
        elif chance < 0.6:
            # Killed: what was taken since the last commit is read again.
            told = cut.told
            cut = OneShard(crashed(cut, tmp_path_factory.mktemp("killed") / "shard"))
            cut.told = told
            for undone_topic, _ in steps[committed:number]:
                offsets[undone_topic] -= 1
            number = committed
    cut.commit()
    assert named(cut) == named(at_once)


def test_a_shard_that_is_open_elsewhere_is_refused(tmp_path: Path) -> None:
    first = OneShard(tmp_path, with_settings())
    with pytest.raises(Exception, match="in use by another process - stop the other pipeline"):
        OneShard(tmp_path)
    first.close()


def test_an_outcome_too_far_from_its_prediction_is_unmatched_whichever_was_read_first(tmp_path: Path) -> None:
    far = NOW + 31 * DAY
    first, second = OneShard(tmp_path / "prediction first"), OneShard(tmp_path / "outcome first")
    first.played(PREDICTIONS, served(0))
    first.played(OUTCOMES, known(0, created_at=far))
    second.played(OUTCOMES, known(0, created_at=far))
    second.played(PREDICTIONS, served(0))
    for shard in (first, second):
        assert shard.windows(Kind.UNMATCHED) == set()
        shard.advance(far + 31 * DAY)
        assert shard.value(Kind.UNMATCHED, "1d", far - far % DAY) == 1
        assert shard.value(Kind.LABELLED, "1d", TODAY) == 0
