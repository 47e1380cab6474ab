"""What the health page is told. Times are epoch ms, 0 when unknown; texts may hold what came with the data: show them as text."""

from __future__ import annotations

import msgspec

from schemas.health import PipelineHealth


class Check(msgspec.Struct, frozen=True):
    """One judgement: `state` is `ok`, `warning`, `critical` or `no data`; `text` says what is the matter, and what to do."""

    name: str
    state: str
    text: str


class PartitionLag(msgspec.Struct, frozen=True):
    """A source partition: committed up to `offset`, of a log that ends at `end`."""

    topic: str
    partition: int
    offset: int
    end: int

    @property
    def lag(self) -> int:
        """The messages that wait."""
        return max(self.end - self.offset, 0)


class Letter(msgspec.Struct, frozen=True):
    """A dead letter: where it was read, why it is no event, and the beginning of its bytes, written so that all of them can be seen."""

    received_at: int
    topic: str
    partition: str
    offset: str
    path: str
    reason: str
    size: int
    shown: str


class ReasonCount(msgspec.Struct, frozen=True):
    """So many dead letters of one kind; `example` is the newest one's reason."""

    example: str
    count: int
    newest: int


class Letters(msgspec.Struct, frozen=True):
    """Dead letters: how many Kafka keeps, and of the newest `looked_at` of them the reasons and the last ones, the newest first."""

    kept: int = 0
    looked_at: int = 0
    last_hour: int = 0
    reasons: list[ReasonCount] = []
    last: list[Letter] = []


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """The pipeline at one moment: events taken in per second, and messages that wait."""

    at: int
    events_per_s: float
    lag: int


class Report(msgspec.Struct, frozen=True):
    """All of it; `sizes` are bytes on disk by name, `memory` bytes of the dashboard's process."""

    at: int
    checks: list[Check]
    pipeline: PipelineHealth | None
    partitions: list[PartitionLag]
    samples: list[Sample]
    letters: Letters
    sizes: dict[str, int]
    disk_free: int
    memory: int
    versions: dict[str, str]
