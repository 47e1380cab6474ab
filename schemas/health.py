"""What the pipeline says of itself, once a second, in `health.json` in its home: for the dashboard's health page, and for scripts.

A file, since whoever asks how the pipeline is must get an answer when Kafka is away.
"""

from __future__ import annotations

from pathlib import Path

import msgspec


class PartitionProgress(msgspec.Struct, frozen=True):
    """A source partition: all of its messages below `offset` have been read and committed by every shard."""

    topic: str
    partition: int
    offset: int


class ShardHealth(msgspec.Struct, frozen=True):
    """A shard: how many commits it has made since the start, how long the last one took, and when it was (epoch ms)."""

    shard: int
    commits: int
    commit_ms: float
    committed_at: int


class PipelineHealth(msgspec.Struct, frozen=True):
    """All of it. Times are epoch ms, None while there is none; `counts` are totals since `started_at`, by name.

    `publish_ms` is how long publishing took the last time, `published_at` when that was.
    """

    versions: dict[str, str]
    processes: int
    started_at: int
    updated_at: int
    newest_event_time: int | None = None
    watermark: int | None = None
    counts: dict[str, int] = {}
    partitions: list[PartitionProgress] = []
    shards: list[ShardHealth] = []
    publish_ms: float = 0.0
    published_at: int | None = None


def health_file(home: Path) -> Path:
    """Return the path of the file."""
    return home / "health.json"


def read_health(home: Path) -> PipelineHealth | None:
    """Return what the pipeline said last; None when it has never run on this home, or what it said is not readable."""
    try:
        return msgspec.json.decode(health_file(home).read_bytes(), type=PipelineHealth)
    except (OSError, msgspec.DecodeError):
        return None
