"""The Bytewax dataflow: read and decode -> route -> shards -> publisher."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from pipeline.columns import Delivery
from pipeline.dead_letters import DeadLetterOffice
from pipeline.placement import shard_keys
from pipeline.publish.acknowledged import acknowledged_file, read_acknowledged
from pipeline.publish.health import HealthFile
from pipeline.publish.publisher import Publisher
from pipeline.publish.thread import PublisherThread
from pipeline.publish.topic import AcknowledgedProducer
from pipeline.reading.credit import Credit
from pipeline.reading.pace import PaceBoard
from pipeline.reading.partition import Assignment
from pipeline.reading.process import Read, ReadJob
from pipeline.reading.source import KafkaSource
from pipeline.settings import PipelineSettings
from pipeline.shard.admissions import HomeAdmissions, admissions_file
from pipeline.shard.shard import Shard
from pipeline.shard.thread import ShardThread
from pipeline.shard.updates import PaneUpdate
from schemas.errors import TowerError
from schemas.kafka import KafkaSettings

log = logging.getLogger("tower.pipeline")
_PUBLISHER = "publisher"
_LOOK_EVERY = timedelta(milliseconds=10)
_TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """What a dataflow is to do. `newest` is the largest event time that any shard has seen; `drain` publishes all at the end.

    `board` and `credit` are what the members of a cluster have in common.
    """

    home: Path
    kafka: KafkaSettings
    settings: PipelineSettings
    shards: int
    workers: int
    assignment: Assignment
    newest: int
    board: PaceBoard
    credit: Credit
    drain: bool


@dataclass(slots=True)
class Run:
    """One process's run of a job: `stopping` ends its sources, `clock` returns epoch milliseconds.

    `told` says that it ends for good: then a Kafka that is away is no longer waited for. `telling` are its shards that have not yet told
    all that the publisher may lack from earlier runs: the sources do not end before, since Bytewax holds all that comes at the end at once.
    """

    stopping: Flag
    clock: Callable[[], int]
    told: Callable[[], bool]
    telling: set[int]
    failures: list[Exception] = field(default_factory=list)
    opened: ExitStack = field(default_factory=ExitStack)
    """What is closed however the run ends."""

    def failed(self, error: Exception) -> None:
        """Keep an error of a step, and log it: Bytewax wraps it, and in a cluster drops it."""
        self.failures.append(error)
        if not isinstance(error, TowerError):
            log.error("a step of the dataflow failed", exc_info=error)


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def shard_folder(home: Path, shard: int) -> Path:
    """Return the folder of a shard's store."""
    return home / "state" / f"shard-{shard}"


def build(job: Job, run: Run, worker: int) -> Dataflow:
    """Return the dataflow of a job for one of its workers."""
    read_job = ReadJob(job.kafka, job.settings, job.shards, job.newest, job.board, job.assignment.start, job.assignment.end)
    source = KafkaSource(
        read_job,
        run.stopping,
        run.failed,
        may_end=lambda: not run.telling,
        opened=lambda one: run.opened.callback(one.close),
        may_send=job.credit.has_room,
    )
    flow = Dataflow("control_tower")
    batches = op.input("read_and_decode", flow, source)
    routed = op.flat_map("route", batches, _Router(job, run, worker))
    updates = op.stateful_batch("shard", routed, lambda _: _ShardStep(job, run))
    op.output("publish", op.map("to_publisher", updates, lambda item: (_PUBLISHER, item[1])), _PublisherSink(job, run))
    return flow


class _Router:
    """Sends off the dead letters, and addresses its slices to the shards."""

    def __init__(self, job: Job, run: Run, worker: int) -> None:
        self._job = job
        self._run = run
        self._worker = worker
        self._keys = shard_keys(job.shards, job.workers)
        self._office: DeadLetterOffice | None = None

    def __call__(self, read: Read) -> Iterable[tuple[str, Delivery]]:
        try:
            if read.dead:
                if self._office is None:
                    producer = AcknowledgedProducer(self._job.kafka, lambda: not self._run.told())
                    self._office = DeadLetterOffice(producer, self._run.clock)
                self._office.send(read.dead)
            deliveries = (Delivery(self._worker, shard, packed) for shard, packed in enumerate(read.packed))
            return zip(self._keys, deliveries, strict=True)
        except Exception as error:
            self._run.failed(error)
            raise


class _ShardStep(StatefulBatchLogic[Delivery, PaneUpdate | None, None]):
    """Hands what comes to one shard, and passes on what it has committed. It is opened at its first delivery: Bytewax tells a step no key.

    When there is nothing to pass on it emits None now and then, a tick: by it an error of the publisher is noticed though no update comes.
    """

    def __init__(self, job: Job, run: Run) -> None:
        self._job = job
        self._run = run
        self._shard: ShardThread | None = None
        self._tick_at_s = 0.0

    def on_batch(self, values: list[Delivery]) -> tuple[list[PaneUpdate | None], bool]:
        """Hand over what has come."""
        if self._shard is None:
            self._shard = self._opened(values[0].shard)
        for delivery in values:
            self._shard.take(delivery)
        return self._updates(), StatefulBatchLogic.RETAIN

    def on_notify(self) -> tuple[list[PaneUpdate | None], bool]:
        """Pass on what has been committed, though nothing new has come."""
        return self._updates(), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[PaneUpdate | None], bool]:
        """Have the rest committed, and close."""
        return [*self._shard.close(hurry=self._run.stopping.is_set())] if self._shard else [], StatefulBatchLogic.DISCARD

    def notify_at(self) -> datetime | None:
        """Return when to look for commits again."""
        return datetime.now(UTC) + _LOOK_EVERY

    def snapshot(self) -> None:
        """Return nothing: the shard has its own store."""
        return

    def _updates(self) -> list[PaneUpdate | None]:
        found = self._shard.updates() if self._shard else []
        self._run.telling.difference_update(update.shard for update in found if not update.more)
        now = time.monotonic()
        if not found and now < self._tick_at_s:
            return []
        self._tick_at_s = now + _TICK_S
        return [*found] or [None]

    def _opened(self, number: int) -> ShardThread:
        job = self._job
        partitions: dict[str, set[int]] = {}
        for topic, partition in job.assignment.start:
            partitions.setdefault(topic, set()).add(partition)
        frozen = {topic: frozenset(numbers) for topic, numbers in partitions.items()}
        acknowledged = acknowledged_file(job.home)
        try:
            folder = shard_folder(job.home, number)
            admissions = HomeAdmissions(admissions_file(job.home))
            shard = Shard(number, folder, job.settings, frozen, _monotonic_ms, lambda: read_acknowledged(acknowledged, number), admissions)
            return ShardThread(shard, job.credit, _monotonic_ms, self._run.failed)
        except Exception as error:
            self._run.failed(error)
            raise


class _PublisherPart(StatefulSinkPartition[PaneUpdate | None, None]):
    """Hands updates to the publisher, which is single and runs in a thread of its own."""

    def __init__(self, job: Job, run: Run) -> None:
        self._job = job
        self._run = run
        publisher = Publisher(job.home, job.kafka, job.settings, job.shards, run.clock, keep_waiting=lambda: not run.told())
        self._publisher = PublisherThread(publisher, HealthFile(job.home, job.workers, run.clock), run.failed)

    def write_batch(self, values: list[PaneUpdate | None]) -> None:
        """Hand over updates; a tick shows when the publisher has failed meanwhile."""
        self._publisher.check()
        for update in values:
            if update is not None:
                self._publisher.take(update)

    def snapshot(self) -> None:
        """Return nothing: the publisher has its own store."""
        return

    def close(self) -> None:
        """Publish what is left: all of it when the run ends because it has caught up."""
        if not self._run.failures:
            self._publisher.close(drain=self._job.drain and not self._run.stopping.is_set())


class _PublisherSink(FixedPartitionedSink[PaneUpdate | None, None]):
    """One partition on one worker of the cluster."""

    def __init__(self, job: Job, run: Run) -> None:
        self._job = job
        self._run = run

    def list_parts(self) -> list[str]:
        """Return the only partition."""
        return [_PUBLISHER]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _PublisherPart:
        """Return the publisher."""
        try:
            return _PublisherPart(self._job, self._run)
        except Exception as error:
            self._run.failed(error)
            raise
