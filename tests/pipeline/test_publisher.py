"""The publisher's stores against each other: what one of them has lost comes back, and what is no more leaves all of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.settings import Limits
from schemas.topics import PREDICTIONS
from tests.pipeline.events import NOW, prediction
from tests.pipeline.publishing import OnePublisher
from tests.pipeline.shards import OneShard, with_settings

HOUR = 3_600_000


def served(name: str, hours_ago: int, **fields: object) -> dict[str, object]:
    return prediction(prediction_id=name, created_at=NOW - hours_ago * HOUR, **fields)


def test_a_database_that_was_set_back_alone_gets_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard, desk, kept = OneShard(tmp_path / "shard"), OnePublisher(tmp_path / "home", monkeypatch), tmp_path / "kept.duckdb"
    database = tmp_path / "home" / "tower.duckdb"
    shard.played(PREDICTIONS, served("a", 0))
    desk.hear(*shard.first())
    desk.close()
    shutil.copy(database, kept)
    desk.open()
    # The newest rows are those of the copy: the largest revision would not tell.
    shard.played(PREDICTIONS, served("b", 30))
    desk.hear(*shard.first())
    shard.played(PREDICTIONS, served("c", 0))
    desk.hear(shard.updates[-1])
    desk.close()
    all_rows = desk.in_database()
    shutil.copy(kept, database)
    assert desk.in_database() < all_rows
    desk.open()
    shard.acknowledged = desk.acknowledged
    desk.hear(*shard.first())
    desk.close()
    assert desk.in_database() == desk.in_lake() == all_rows


def test_a_database_that_is_as_it_was_left_is_not_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard, desk = OneShard(tmp_path / "shard"), OnePublisher(tmp_path / "home", monkeypatch)
    shard.played(PREDICTIONS, served("a", 0), served("b", 30))
    desk.hear(*shard.first())
    desk.close()
    desk.messages.newest.clear()
    desk.open()
    shard.acknowledged = desk.acknowledged
    desk.hear(*shard.first())
    desk.close()
    assert {start for *_, window, start in desk.on_topic() if window == "1h"} == {NOW - NOW % HOUR}  # what is open is told at each start


def test_rows_that_a_set_back_shard_no_longer_has_leave_the_topic_duckdb_and_the_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = with_settings(limits=Limits(segment_values_per_name=1))
    desk = OnePublisher(tmp_path / "home", monkeypatch)
    free, basic = ({"segments": {"plan": plan}} for plan in ("free", "basic"))
    shard = OneShard(tmp_path / "first", limited)
    shard.played(PREDICTIONS, served("a", 30), served("b", 30, **free), served("c", 0, **basic))
    desk.hear(*shard.first())
    desk.close()
    assert {segment for _, _, segment, _, _ in desk.in_lake()} == {"*", "plan=free", "plan=__other__"}
    # The store is lost, and the events are read again in another order.
    again = OneShard(tmp_path / "second", limited, acknowledged=desk.acknowledged)
    desk.open()
    desk.hear(*again.first())
    again.played(PREDICTIONS, served("c", 0, **basic), served("b", 30, **free), served("a", 30))
    desk.hear(again.updates[-1])
    desk.close()
    assert {segment for _, _, segment, _, _ in desk.in_lake()} == {"*", "plan=basic", "plan=__other__"}
    assert desk.on_topic() == desk.in_database() == desk.in_lake()
    ends = {int(end) for end, _ in (desk.open(), desk.publisher._state.open_ends())[1].tolist()}
    assert ends
    left = {desk.publisher._state.names.scope(int(pane) & (1 << 27) - 1)[2] for _, pane in desk.publisher._state.open_ends().tolist()}
    assert "plan=free" not in left
    desk.close()


def test_nothing_is_published_before_all_slices_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shard.shard._PANES_A_SLICE", 3)
    shard, desk = OneShard(tmp_path / "shard"), OnePublisher(tmp_path / "home", monkeypatch)
    shard.played(PREDICTIONS, *(served(f"p{hours}", hours) for hours in range(5)))
    slices = shard.first()
    desk.hear(*slices[:-1])
    assert not desk.messages.newest
    assert desk.acknowledged == 0
    desk.hear(slices[-1])
    assert len(desk.messages.newest) > 10
    assert desk.acknowledged == shard.updates[-1].sequence
    desk.close()
