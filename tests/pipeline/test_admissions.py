"""All shards of a home keep the same names, the first ones up to the limit, whatever is killed, lost or set back."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from pipeline.columns import Profile
from pipeline.resume import _members
from pipeline.settings import Limits
from pipeline.shard.admissions import HomeAdmissions, Usage, admissions_file, restore, usage
from pipeline.shard.names import NameTables
from pipeline.shard.shard import Shard
from pipeline.shard.state import ShardState
from schemas.errors import TowerError
from schemas.metrics import OTHER
from schemas.topics import PREDICTIONS
from tests.pipeline.events import NOW, prediction
from tests.pipeline.running import ROOT
from tests.pipeline.shards import OneShard, with_settings

ODD = ("", "\0", "a\0b", "a", "A", "é", "e\u0301", "\U0001f600", "\u202e", "'; DROP TABLE kept; --", "__other", "*", " ", "\n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return admissions_file(tmp_path)


@pytest.fixture
def opened(file: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def shards(opened: ExitStack, file: Path, count: int) -> list[HomeAdmissions]:
    """Return what so many shards ask."""
    return [opened.enter_context(closing(HomeAdmissions(file))) for _ in range(count)]


def ask(admissions: HomeAdmissions, name: str, limit: int = 2, owner: str = "churn") -> bool:
    """Ask for one name, as a batch with no other."""
    found = admissions.admits("version", owner, name, limit)
    admissions.settle()
    return found


def test_what_one_shard_keeps_all_keep_and_what_one_folds_all_fold(file: Path, opened: ExitStack) -> None:
    one, two = shards(opened, file, 2)
    assert [ask(one, "v1"), ask(two, "v2"), ask(two, "v3"), ask(one, "v3")] == [True, True, False, False]
    assert [ask(two, "v1"), ask(one, "v2")] == [True, True]
    assert ask(one, "v3", owner="fraud")


def test_every_text_is_a_name_of_its_own(file: Path, opened: ExitStack) -> None:
    one, two = shards(opened, file, 2)
    for owner in ODD:
        assert [ask(one, name, len(ODD), owner) for name in ODD] == [True] * len(ODD)
        assert [ask(two, name, len(ODD), owner) for name in (*ODD, "one more")] == [True] * len(ODD) + [False]


def test_shards_that_ask_at_the_same_time_agree(file: Path, opened: ExitStack) -> None:
    def asked(admissions: HomeAdmissions) -> dict[str, bool]:
        found = {}
        for first in range(0, 60, 6):
            found |= {f"v{number}": admissions.admits("version", "churn", f"v{number}", 20) for number in range(first, first + 6)}
            admissions.settle()
        return found

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(asked, shards(opened, file, 4)))
    assert all(answer == answers[0] for answer in answers)
    assert sum(answers[0].values()) == 20


def test_once_a_limit_is_reached_nothing_is_asked(file: Path, opened: ExitStack) -> None:
    one, two = shards(opened, file, 2)
    assert [ask(one, "v1"), ask(two, "v2"), ask(one, "v3")] == [True, True, False]
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")  # whoever asks now waits a minute
        assert [ask(one, f"v{number}") for number in range(5)] == [False, True, True, False, False]


def test_a_process_that_is_killed_while_it_asks_leaves_what_it_has_settled_and_holds_up_nobody(file: Path, opened: ExitStack) -> None:
    program = f"""
import sys
from pathlib import Path
from pipeline.shard.admissions import HomeAdmissions
admissions = HomeAdmissions(Path({str(file)!r}))
admissions.admits("version", "churn", "settled", 2)
admissions.settle()
admissions.admits("version", "churn", "asked", 2)
print("ready", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"ready\n"
        os.kill(killed.pid, signal.SIGKILL)
    (shard,) = shards(opened, file, 1)
    assert [ask(shard, name) for name in ("new", "asked", "settled")] == [True, False, True]


def test_what_shards_hold_is_put_back_into_a_file_that_is_lost_and_stays_though_it_exceeds_the_limit(tmp_path: Path) -> None:
    limits = Limits(versions_per_model=2)
    folders = [tmp_path / "0", tmp_path / "1"]
    for number, folder in enumerate(folders):  # as a home of before: each shard has decided alone
        shard = OneShard(folder, with_settings(limits=limits))
        events = [prediction(prediction_id=f"{version}", model_version=f"v{version}") for version in range(number, number + 4)]
        shard.played(PREDICTIONS, *events)
        shard.close()
    for _ in range(2):
        members = set()
        for folder in folders:
            state = ShardState(folder)
            members |= _members(state)
            state.close()
        restore(admissions_file(tmp_path), members)
    assert Usage("version", "churn", 3, 0, 0) in usage(admissions_file(tmp_path))
    with closing(HomeAdmissions(admissions_file(tmp_path))) as admissions:
        assert [ask(admissions, f"v{version}") for version in range(4)] == [True, True, True, False]


def test_a_name_is_on_disk_before_the_commit_that_relies_on_it(tmp_path: Path) -> None:
    class Failing(HomeAdmissions):
        def settle(self) -> None:
            raise TowerError("the disk is full", "free some space")

    shard = OneShard(tmp_path / "shard")
    shard.shard.close()
    admissions = Failing(admissions_file(tmp_path))
    shard.shard = Shard(0, tmp_path / "shard", with_settings(), {}, lambda: NOW, lambda: 0, admissions)
    with pytest.raises(TowerError, match="the disk is full"):
        shard.take(PREDICTIONS, prediction())
    shard.shard._moved = True
    with pytest.raises(TowerError, match="the disk is full"):
        shard.commit()
    shard.close()
    again = ShardState(tmp_path / "shard")
    assert (_members(again), again.sequence) == (set(), 0)
    again.close()


def test_what_is_folded_is_counted_by_owner_and_the_counts_last(file: Path) -> None:
    now = [0.0]
    limits = Limits(models=1, versions_per_model=1)
    for _ in range(2):
        admissions = HomeAdmissions(file, clock=lambda: now[0])
        names = NameTables(limits, admissions)
        for version in range(4):
            names.profile(Profile("churn", f"v{version}", ()))
            names.profile(Profile(f"m{version}", "v", ()))
        admissions.settle()
        now[0] += 11
        names.profile(Profile("churn", "v9", ()))
        admissions.settle()
        names.profile(Profile("churn", "v9", ()))
        admissions.close()
    assert usage(file) == [
        Usage("model", "", 1, 8, 1),
        Usage("version", OTHER, 1, 0, 0),
        Usage("version", "churn", 1, 10, 1),
    ]


def test_a_damaged_file_is_told_with_its_mend(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(TowerError, match=r"cannot be used: file is not a database") as told:
        restore(file, [])
    assert "move names.sqlite" in told.value.mend
    with pytest.raises(TowerError, match="cannot be used"):
        usage(file)


def test_what_holds_the_file_or_fills_the_disk_is_told_with_its_mend(
    file: Path, opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.shard.admissions._WAIT_S", 0.01)
    one, two = shards(opened, file, 2)
    one.admits("version", "churn", "v1", 2)
    with pytest.raises(TowerError, match="has been held by another process") as held:
        two.admits("version", "churn", "v1", 2)
    assert "end the process" in held.value.mend
    one.settle()
    one._database.execute("PRAGMA max_page_count = 1")  # no page more than there are
    with pytest.raises(TowerError, match="cannot be written: No space left on device"):
        one.admits("version", "churn", "v" * 10_000, 2)


def test_without_a_file_nothing_is_used(file: Path) -> None:
    assert usage(file) == []
    assert not file.exists()
