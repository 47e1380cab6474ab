"""Writes `schemas.health`: what the shards and the publisher have told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.shard.state import Position
from pipeline.shard.updates import PaneUpdate
from pipeline.watermark import BEGINNING
from schemas.files import replace_file
from schemas.health import PartitionProgress, PipelineHealth, ShardHealth, health_file
from schemas.version import versions

_EVERY_MS = 1_000
_LIBRARIES = ("bytewax", "confluent-kafka", "duckdb", "rocksdict", "numpy")


@dataclass(frozen=True, slots=True)
class _Told:
    """What a shard has told, of its newest update; and how many there were, and when that was (epoch ms)."""

    counts: Mapping[str, int]
    progress: Mapping[Position, int]
    watermark: int
    newest: int
    commit_ms: float
    updates: int
    at: int


class HealthFile:
    """Collects, and writes once a second. `clock` returns epoch milliseconds."""

    def __init__(self, home: Path, processes: int, clock: Callable[[], int]) -> None:
        self._file = health_file(home)
        self._processes = processes
        self._clock = clock
        self._started_at = clock()
        self._versions = versions(_LIBRARIES)
        self._written_at = 0
        self._told: dict[int, _Told] = {}
        self._publish_ms = 0.0
        self._published_at: int | None = None

    def note(self, update: PaneUpdate) -> None:
        """Take note of what a shard has told."""
        before = self._told.get(update.shard)
        self._told[update.shard] = _Told(
            update.counts,
            update.progress,
            update.watermark,
            update.newest_event_time,
            update.commit_ms,
            before.updates + 1 if before else 1,
            self._clock(),
        )

    def published(self, seconds: float) -> None:
        """Take note of how long publishing took."""
        self._publish_ms, self._published_at = 1000 * seconds, self._clock()

    def write_if_due(self) -> None:
        """Write the file, once a second. A disk that does not take it is told of by whoever must store something."""
        now = self._clock()
        if 0 <= now - self._written_at < _EVERY_MS:
            return
        self._written_at = now
        with suppress(OSError):
            replace_file(self._file, msgspec.json.encode(self._health(now)))

    def _health(self, now: int) -> PipelineHealth:
        counts = Counter[str]()
        reached: dict[Position, int] = {}
        for told in self._told.values():
            counts.update(told.counts)
            for position, offset in told.progress.items():
                reached[position] = min(offset, reached.get(position, offset))
        watermark = min((told.watermark for told in self._told.values()), default=BEGINNING)
        newest = max((told.newest for told in self._told.values()), default=BEGINNING)
        return PipelineHealth(
            versions=self._versions,
            processes=self._processes,
            started_at=self._started_at,
            updated_at=now,
            newest_event_time=newest if newest > BEGINNING else None,
            watermark=watermark if watermark > BEGINNING else None,
            counts=dict(counts),
            partitions=[PartitionProgress(topic, partition, offset) for (topic, partition), offset in sorted(reached.items())],
            shards=[ShardHealth(shard, told.updates, told.commit_ms, told.at) for shard, told in sorted(self._told.items())],
            publish_ms=self._publish_ms,
            published_at=self._published_at,
        )
