"""The publisher's stores against each other: what one of them has lost comes back, and what is no more leaves all of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import numpy as np
import orjson
import pyarrow.parquet
import pytest

from pipeline.panes import WINDOWS, pane_start_ms, pane_window
from pipeline.publish.database import MetricsDatabase
from pipeline.settings import Limits
from schemas.errors import TowerError
from schemas.metrics import DEFAULT_RETENTION_MS
from schemas.topics import PREDICTIONS
from tests.pipeline.events import NOW, prediction
from tests.pipeline.publishing import OnePublisher
from tests.pipeline.shards import OneShard, with_settings

HOUR = 3_600_000
BLOCK_BYTES = 262_144
"""DuckDB's, each with a checksum."""


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
    desk.hear(slices[-1])
    assert len(desk.messages.newest) > 10
    assert desk.acknowledged == shard.updates[-1].sequence
    desk.close()


def test_files_of_the_history_that_are_damaged_or_gone_are_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard, desk = OneShard(tmp_path / "shard"), OnePublisher(tmp_path / "home", monkeypatch)
    shard.played(PREDICTIONS, *(served(f"p{hours}", hours) for hours in range(0, 50, 10)))
    desk.hear(*shard.first())
    desk.close()
    rows = desk.in_lake()
    cut, page, footer, gone, *others = desk.lake_files()
    whole = next(file for file in others if file.parent.name == "window=1m")
    os.truncate(cut, 100)
    flipped(page, 40)  # still a Parquet file, whose numbers would be wrong
    flipped(footer, -5)
    gone.unlink()
    (whole.parent / "0.parquet").write_bytes(b"PAR1")  # of a time that is not kept any more
    untouched = whole.stat().st_ino
    desk.open()
    shard.acknowledged = desk.acknowledged
    desk.hear(*shard.first())
    desk.close()
    assert desk.in_lake() == rows
    for file in desk.lake_files():
        assert pyarrow.parquet.read_table(file).num_rows > 0
    assert whole.stat().st_ino == untouched


def test_rows_that_were_withdrawn_just_before_a_kill_leave_the_lake_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, desk = OneShard(tmp_path / "shard"), OnePublisher(tmp_path / "home", monkeypatch)
    shard.played(PREDICTIONS, served("a", 30), served("b", 30, segments={"plan": "free"}), served("c", 0))
    desk.hear(*shard.first())
    desk.close()
    rows = desk.in_lake()
    with duckdb.connect(str(tmp_path / "home" / "tower.duckdb")) as database:  # that was committed, and nothing exported since
        database.execute("DELETE FROM metric_windows WHERE \"window\" = '1m' AND segment = 'plan=free'")
    desk.open()
    shard.acknowledged = desk.acknowledged
    desk.hear(*shard.first())
    desk.close()
    assert desk.in_lake() == desk.in_database() < rows


def flipped(file: Path, at: int) -> None:
    """Change one byte of a file."""
    content = bytearray(file.read_bytes())
    content[at] ^= 255
    file.write_bytes(content)


def test_what_an_export_speaks_of_is_on_the_disk_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard, desk = OneShard(tmp_path / "shard"), OnePublisher(tmp_path / "home", monkeypatch)
    shard.played(PREDICTIONS, served("a", 0), served("b", 30))
    desk.hear(*shard.first())
    desk.publisher._lake.finish()  # the first export, of nothing, which began meanwhile
    steps: list[tuple[str, Path]] = []
    sync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        steps.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    def replaced(old: Path, new: Path) -> None:
        steps.append(("rename", Path(old)))
        replace(old, new)

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr("os.replace", replaced)
    desk.close()
    done = next(place for place, (step, path) in enumerate(steps) if step == "rename" and path.name.startswith("export.json"))
    renamed = {path for step, path in steps[:done] if step == "rename" and path.suffix == ".writing"}
    assert len(renamed) == len(desk.lake_files())
    for path in renamed:
        assert steps.index(("sync", path)) < steps.index(("rename", path)) < last(steps[:done], ("sync", path.parent))


def last(steps: list[tuple[str, Path]], step: tuple[str, Path]) -> int:
    """Return where a step stands last."""
    return len(steps) - 1 - steps[::-1].index(step)


def test_a_database_that_is_damaged_is_told_with_its_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard, desk = OneShard(tmp_path / "shard"), OnePublisher(tmp_path / "home", monkeypatch)
    shard.played(PREDICTIONS, *(served(f"p{hours}", hours) for hours in range(0, 50, 10)))
    desk.hear(*shard.first())
    desk.close()
    file = tmp_path / "home" / "tower.duckdb"
    content = file.read_bytes()
    told = []
    for first in range(3 * 4096, len(content), BLOCK_BYTES):
        file.write_bytes(content[:first] + bytes(100) + content[first + 100 :])
        told += mends(file)
    assert len(told) > 1
    assert all("move the file away" in mend for mend in told)


def mends(file: Path) -> list[str]:
    """Read all of a database; return what is said to mend it."""
    try:
        database = MetricsDatabase(file)
        database._number("SELECT count(*) FROM (SELECT DISTINCT * FROM metric_windows)")
        database.close()
    except TowerError as error:
        return [error.mend]
    return []


def test_hours_and_weeks_that_wait_for_their_second_are_published_by_a_run_that_is_told_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, desk = OneShard(tmp_path / "shard"), OnePublisher(tmp_path / "home", monkeypatch)
    monkeypatch.setattr("pipeline.publish.rhythm._LONG_INTERVAL_S", 3600.0)

    def told() -> dict[str, float]:
        found = [orjson.loads(value) for value in desk.messages.newest.values()]
        rows = [(one["window"], row) for one in found if one["model_version"] == one["segment"] == "*" for row in one["rows"]]
        return {window: row["n"] for window, row in rows if row["metric"] in ("prediction_volume", "f1_score_rolling_7d")}

    for name in "ab":
        shard.played(PREDICTIONS, served(name, 0))
        for update in shard.first() if name == "a" else shard.updates[-1:]:
            desk.publisher.take(update)
        desk.publisher.flush()
    assert told() == {"10s": 2, "1m": 2, "1h": 1, "1d": 1, "7d": 1}
    desk.publisher.close(drain=False)
    assert set(told().values()) == {2}


def test_a_rolling_window_has_all_of_its_hours_however_soon_these_pass_their_own_retention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = with_settings(retention_ms={**DEFAULT_RETENTION_MS, "1h": 2 * 24 * HOUR, "7d": 24 * HOUR})
    shard, desk = OneShard(tmp_path / "shard", brief), OnePublisher(tmp_path / "home", monkeypatch, brief)
    for name, hours_ago in (("a", 200), ("b", 160), ("c", 100), ("d", 1), ("e", 0)):
        shard.played(PREDICTIONS, served(name, hours_ago))
        desk.hear(*(shard.updates[-1:] if desk.acknowledged else shard.first()))
    shard.played(PREDICTIONS, served("late", 20))
    desk.hear(shard.updates[-1])
    rolling = {end: orjson.loads(value)["rows"] for end, value in _rolling(desk)}
    volumes = {end: row["value"] for end, rows in rolling.items() for row in rows if row["metric"] == "prediction_volume"}
    hour = NOW - NOW % HOUR
    # b, c, late, d, e; b, c, late, d; b, c, late: those a week before each end, though hours are kept for two days alone.
    assert [volumes[hour + step * HOUR] for step in (1, 0, -1)] == [5, 4, 3]
    stored = desk.publisher._state.all_panes()
    hours = stored[pane_window(stored) == WINDOWS.index("1h")]
    assert min(pane_start_ms(hours)) == (NOW - 160 * HOUR) // HOUR * HOUR
    desk.close()
    assert {start for *_, window, start in desk.in_database() if window == "1h"} == {hour - back * HOUR for back in (20, 1, 0)}


def test_retention_that_is_made_longer_brings_back_no_window_of_which_events_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = 24 * HOUR
    brief = with_settings(retention_ms={**DEFAULT_RETENTION_MS, "1m": 2 * HOUR, "1h": 2 * day, "7d": day})
    shard, desk = OneShard(tmp_path / "shard", brief), OnePublisher(tmp_path / "home", monkeypatch, brief)
    for name, hours_ago in (("a", 200), ("b", 195), ("c", 30), ("d", 10), ("e", 1), ("f", 0)):
        shard.played(PREDICTIONS, served(name, hours_ago))
        desk.hear(*(shard.updates[-1:] if desk.acknowledged else shard.first()))
    shard.close()
    desk.close()
    shard, desk = OneShard(tmp_path / "shard", acknowledged=desk.acknowledged), OnePublisher(tmp_path / "home", monkeypatch)
    shard.offsets[PREDICTIONS] = 6
    desk.hear(*shard.first())
    shard.played(PREDICTIONS, *(served(f"late {hours_ago}", hours_ago) for hours_ago in (200, 30, 10, 1)))
    desk.hear(shard.updates[-1])
    told = volumes(desk)
    assert {window: told.get((window, (NOW - 200 * HOUR) // length * length)) for window, length in LENGTHS} == {"1h": None, "1d": 3}
    # Hours are there for eight days, of which a rolling window takes seven.
    assert min(start for window, start in told if window == "7d") == (NOW - 23 * HOUR) // HOUR * HOUR - 7 * day
    minutes = {hours_ago: told.get(("1m", (NOW - hours_ago * HOUR) // 60_000 * 60_000)) for hours_ago in (10, 1)}
    assert minutes == {10: None, 1: 2}
    # What was whole then is kept for the longer time.
    shard.played(PREDICTIONS, served("later", -20))
    shard.played(PREDICTIONS, served("very late", 1))
    desk.hear(*shard.updates[-2:])
    assert volumes(desk)["1m", (NOW - HOUR) // 60_000 * 60_000] == 3
    desk.close()


LENGTHS = (("1h", HOUR), ("1d", 24 * HOUR))


def volumes(desk: OnePublisher) -> dict[tuple[str, int], float]:
    """Return what was told last of the number of predictions, of all versions and segments together, by window and start."""
    told = [orjson.loads(value) for value in desk.messages.newest.values()]
    return {
        (one["window"], one["window_start"]): row["value"]
        for one in told
        if one["model_version"] == one["segment"] == "*"
        for row in one["rows"]
        if row["metric"] == "prediction_volume"
    }


def _rolling(desk: OnePublisher) -> list[tuple[int, bytes]]:
    """The rolling windows of all versions and segments together, by their ends."""
    told = [(orjson.loads(key), value) for key, value in desk.messages.newest.items()]
    return [(key[4] + 7 * 24 * HOUR, value) for key, value in told if key[1:4] == ["*", "*", "7d"]]


def test_what_passes_its_retention_while_it_waits_to_be_published_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.publish.publisher._ENDED_BUDGET_S", -1.0)
    monkeypatch.setattr("pipeline.publish.publisher._ENDED_PANES_AT_ONCE", 1)
    shard, desk = OneShard(tmp_path / "shard"), OnePublisher(tmp_path / "home", monkeypatch)
    state, agenda = desk.publisher._state, desk.publisher._agenda
    old = [prediction(prediction_id=f"old-{number}", created_at=NOW - 12 * HOUR + number * 10_000) for number in range(100)]
    shard.played(PREDICTIONS, *old)
    desk.publisher.take(*shard.first())
    for _ in range(3):
        desk.publisher.flush()
    assert len(state.dirty()) > 200  # a hundred windows of ten seconds of two scopes, and longer ones
    shard.played(PREDICTIONS, served("now", 0))
    desk.publisher.take(shard.updates[-1])
    for _ in range(3):
        desk.publisher.flush()
    kept = set(state.dirty().tolist())
    assert not {pane for pane in kept if WINDOWS[pane_window(np.array([pane], np.uint64))[0]] == "10s"}
    assert not agenda._ended[0]
    assert agenda._ended[1]
    desk.close()
