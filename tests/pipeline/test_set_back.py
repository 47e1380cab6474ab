"""The stores of a home against each other: whichever is killed, set back, lost or spoilt, and when, the rows are those of a quiet run."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipeline.publish.publisher import Publisher
from pipeline.route import slices
from pipeline.shard.shard import Shard
from pipeline.shard.updates import PaneUpdate
from schemas.kafka import KafkaSettings
from schemas.lake import metrics_folder, wide_metrics_sql
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import NOW, SETTINGS, batch, encoded, outcome, prediction, reader
from tests.pipeline.publishing import CaughtMessages
from tests.pipeline.shards import ONE_PARTITION

SHARDS, STEPS, EVENTS = 2, 20, 40
PARTS = {
    "shard-0": ["state/shard-0"],
    "shard-1": ["state/shard-1"],
    "publisher": ["state/publisher"],
    "DuckDB": ["tower.duckdb", "tower.duckdb.wal"],
    "the lake": ["lake"],
}
"""The stores of a home, each with its paths."""
Log = dict[str, list[dict[str, object]]]


def events(rng: random.Random) -> Log:
    """Return predictions of two days, in order, and outcomes of some of them."""
    times = sorted(NOW - rng.randrange(172_800_000) for _ in range(EVENTS))
    predictions = [
        prediction(prediction_id=f"p{number}", created_at=at, prediction=rng.choice([0, 1]), segments=rng.choice([{}, {"plan": "pro"}]))
        for number, at in enumerate(times)
    ]
    outcomes = [outcome(prediction_id=f"p{rng.randrange(EVENTS)}", created_at=at + 1, label=rng.choice([0, 1])) for at in times[::2]]
    return {PREDICTIONS: predictions, OUTCOMES: outcomes}


class Home:
    """Two shards and a publisher on a folder, driven step by step; a kill goes on with a copy of the folder as it was at that moment."""

    def __init__(self, root: Path, log: Log, rng: random.Random) -> None:
        self._root, self._log, self._rng = root, log, rng
        self._kills = 0
        self._copies: list[Path] = []
        self._open()

    @property
    def folder(self) -> Path:
        """Where the home is now."""
        return self._root / f"{self._kills}"

    def _open(self) -> None:
        self._publisher = Publisher(self.folder, KafkaSettings(), SETTINGS, SHARDS, lambda: NOW, lambda: True)
        self._known = dict(self._publisher._state.sequences)
        self._shards = [self._shard(number) for number in range(SHARDS)]
        self._first = [shard.unpublished() for shard in self._shards]
        self._committed: list[list[PaneUpdate]] = [[] for _ in range(SHARDS)]

    def _shard(self, number: int) -> Shard:
        folder = self.folder / "state" / f"shard-{number}"
        return Shard(number, folder, SETTINGS, ONE_PARTITION, lambda: NOW, lambda: self._known.get(number, 0))

    def read(self) -> None:
        """Read some events on, from where the slowest shard is."""
        for topic, log in self._log.items():
            start = min(shard._state.progress.get((topic, 0), 0) for shard in self._shards)
            some = log[start : start + self._rng.randint(1, 15)]
            intake = reader(now=2**52).read(batch([encoded(event) for event in some], topic=topic, start=start))
            for shard, part in zip(self._shards, slices(intake.progress, intake.predictions, intake.outcomes, SHARDS), strict=True):
                shard.take(part)

    def commit(self, number: int) -> None:
        """Let a shard commit."""
        update = self._shards[number].commit()
        if update is not None:
            self._committed[number].append(update)

    def commit_one(self) -> None:
        """Let one of the shards commit."""
        self.commit(self._rng.randrange(SHARDS))

    def hear(self, number: int) -> bool:
        """Let the publisher take the next update of a shard; say whether there was one."""
        update = next(self._first[number], None) or (self._committed[number].pop(0) if self._committed[number] else None)
        if update is not None:
            self._publisher.take(update)
        return update is not None

    def hear_some(self) -> None:
        """Let the publisher take some updates."""
        for _ in range(self._rng.randint(1, 8)):
            self.hear(self._rng.randrange(SHARDS))

    def acknowledge(self) -> None:
        """Let the shards know what the publisher has."""
        self._known = dict(self._publisher._state.sequences)

    def publish(self) -> None:
        """Publish something, or all."""
        self._publisher.flush(drain=self._rng.random() < 0.5)

    def copy(self) -> None:
        """Keep a copy of everything."""
        self._copies.append(self._root / f"copy-{len(self._copies)}")
        shutil.copytree(self.folder, self._copies[-1])

    def kill(self) -> None:
        """Kill everything, and start again."""
        self._restart({})

    def set_back(self) -> None:
        """Start again with some stores as an earlier copy has them."""
        if self._copies:
            self._restart({part: self._rng.choice(self._copies) for part in self._rng.sample(sorted(PARTS), self._rng.randint(1, 2))})

    def lose(self) -> None:
        """Start again without one of the stores."""
        self._restart({self._rng.choice(sorted(PARTS)): self._root / "nothing"})

    def spoil(self) -> None:
        """Start again with a file of the history cut in half."""
        files = sorted(metrics_folder(self.folder).rglob("*.parquet"))
        if files:
            os.truncate(files[0], files[0].stat().st_size // 2)
        self._restart({})

    def _restart(self, replaced: dict[str, Path]) -> None:
        killed = self.folder
        shutil.copytree(killed, self._root / f"{self._kills + 1}")
        self._let_go()
        self._kills += 1
        for part, source in replaced.items():
            for path in PARTS[part]:
                put_back(source / path, self.folder / path)
        shutil.rmtree(killed)
        self._open()

    def _let_go(self) -> None:
        for shard in self._shards:
            shard.close()
        self._publisher._lake.close()
        self._publisher._database.close()
        self._publisher._state.close()

    def finish(self) -> None:
        """Read all, publish all, and end."""
        while any(shard._state.progress.get((topic, 0), 0) < len(log) for topic, log in self._log.items() for shard in self._shards):
            self.read()
            for number in range(SHARDS):
                self.commit(number)
        for number in range(SHARDS):
            while self.hear(number):
                pass
            self._shards[number].close()
        self._publisher.close(drain=True)

    def rows(self) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        """Return the rows of DuckDB, and of the lake."""
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{self.folder / 'tower.duckdb'}' AS tower (READ_ONLY)")
            tables = ("tower.metric_windows", f"({wide_metrics_sql(self.folder)})")
            chosen = "* EXCLUDE (revision, updated_at, window_start, window_end), epoch_ms(window_start)"
            in_database, in_lake = (sorted(connection.execute(f"SELECT {chosen} FROM {table}").fetchall(), key=repr) for table in tables)
            return in_database, in_lake


def put_back(source: Path, target: Path) -> None:
    """Replace a file or folder by another one, or by nothing where that is not there."""
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copy(source, target)


STEP: list[tuple[Callable[[Home], None], int]] = [
    (Home.read, 6),
    (Home.commit_one, 8),
    (Home.hear_some, 8),
    (Home.acknowledge, 2),
    (Home.publish, 4),
    (Home.copy, 2),
    (Home.kill, 2),
    (Home.set_back, 4),
    (Home.lose, 1),
    (Home.spoil, 1),
]
"""What can happen, and how often in comparison."""


@pytest.mark.parametrize("seed", [1])  # more take two seconds each
def test_no_kill_and_no_set_back_changes_a_row(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shard.shard._PANES_A_SLICE", 40)
    rng = random.Random(seed)
    log = events(rng)
    for name in ("quiet", "harmed"):
        messages = type("Caught", (CaughtMessages,), {"newest": {}, "tombstones": []})
        monkeypatch.setattr("pipeline.publish.publisher.AcknowledgedProducer", messages)
        home = Home(tmp_path / name, log, rng)
        if name == "harmed":
            steps, weights = zip(*STEP, strict=True)
            for step in rng.choices(steps, weights, k=STEPS):
                step(home)
            home.kill()
        home.finish()
        in_database, in_lake = home.rows()
        assert in_lake == in_database
        if name == "quiet":
            expected, published = in_database, messages.newest.keys()
        else:
            assert in_database == expected
            assert messages.newest.keys() >= published
