"""A publisher on its own: what a shard tells goes in; what goes to Kafka is caught, DuckDB and the lake are real."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import orjson
import pytest

from pipeline.publish.publisher import Publisher
from pipeline.publish.topic import Header
from pipeline.settings import PipelineSettings
from pipeline.shard.updates import PaneUpdate
from schemas.kafka import KafkaSettings
from schemas.lake import metrics_folder, wide_metrics_sql
from schemas.metrics import REVISION
from tests.pipeline.events import NOW, SETTINGS

Key = tuple[str, str, str, str, int]


class CaughtMessages:
    """Stands in for the producer: remembers the newest message of each key, and which keys were taken back."""

    newest: dict[bytes, bytes]
    tombstones: list[bytes]

    def __init__(self, *_: object) -> None:
        self.offsets: dict[int, int] = {0: 1}

    def send(self, topic: str, messages: Iterable[tuple[bytes, bytes | None, list[Header] | None]]) -> None:
        for key, value, headers in messages:
            if value is None:
                self.tombstones.append(key)
                taken_back = orjson.loads(self.newest.pop(key, b'{"revision":0}'))
                assert int(dict(headers or ())[REVISION] or 0) > taken_back["revision"]
            else:
                self.newest[key] = value


class OnePublisher:
    """Publishes what one shard tells, at once."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, settings: PipelineSettings = SETTINGS) -> None:
        self._home = home
        self._settings = settings
        self._patch = monkeypatch
        self.messages = type("Caught", (CaughtMessages,), {"newest": {}, "tombstones": []})
        monkeypatch.setattr("pipeline.publish.publisher.AcknowledgedProducer", self.messages)
        self.open()

    def open(self) -> None:
        """Start, or start again."""
        self.publisher = Publisher(self._home, KafkaSettings(), self._settings, 1, lambda: NOW, lambda: True)

    def hear(self, *updates: PaneUpdate) -> None:
        """Take updates and publish all."""
        for update in updates:
            self.publisher.take(update)
        self.publisher.flush(drain=True)

    @property
    def acknowledged(self) -> int:
        """The last commit of the shard that is stored."""
        return self.publisher._state.sequences.get(0, 0)

    def close(self) -> None:
        """End as a run does that has caught up."""
        self.publisher.close(drain=True)

    def on_topic(self) -> set[Key]:
        """Return the keys of the rows on the topic."""
        return {tuple(orjson.loads(key)) for key in self.messages.newest}

    def in_database(self) -> set[Key]:
        """Return the keys of the rows in DuckDB; the publisher is closed."""
        with duckdb.connect(str(self._home / "tower.duckdb"), read_only=True) as database:
            return _keys(database, "metric_windows")

    def lake_files(self) -> list[Path]:
        """Return the files of the lake."""
        return sorted(metrics_folder(self._home).rglob("*.parquet"))

    def in_lake(self) -> set[Key]:
        """Return the keys of the rows in the lake; the publisher is closed."""
        with duckdb.connect() as database:
            return _keys(database, f"({wide_metrics_sql(self._home)})")


def _keys(database: duckdb.DuckDBPyConnection, table: str) -> set[Key]:
    found = database.execute(f'SELECT model, model_version, segment, "window", epoch_ms(window_start) FROM {table}').fetchall()
    return {(str(model), str(version), str(segment), str(window), int(start)) for model, version, segment, window, start in found}
