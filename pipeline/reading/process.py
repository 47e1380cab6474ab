"""What the reading process does: it reads its partitions in turn, and hands over their batches as columns, a slice for each shard."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from threading import Thread

from pipeline.columns import Progress, Slice, pack
from pipeline.intake import DeadLetter, EventReader, Intake
from pipeline.memory import collect_seldom
from pipeline.reading.mark import WorkMark
from pipeline.reading.pace import Pace, PaceBoard, Position
from pipeline.reading.partition import PartitionReader, Reading
from pipeline.reading.pipe import send
from pipeline.route import slices
from pipeline.settings import PipelineSettings
from pipeline.speech import set_up_log
from schemas.errors import TowerError
from schemas.kafka import KafkaSettings

log = logging.getLogger("tower.pipeline")
_ROUND_S = 0.025
"""A round of all partitions takes at least so long: each batch costs a millisecond or two, however small it is."""
_LARGE_SHARE = 2
"""A round that has this part of the messages that a batch may have is handed over before it has come to all partitions.

So is one that has dead letters, which may have a megabyte each.
"""
_PICKLE_PROTOCOL = 5
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ReadJob:
    """What to read: from `start` on and, where `end` has it, up to there; `newest` is the largest event time that any shard has seen.

    `board` has all partitions of the cluster.
    """

    kafka: KafkaSettings
    settings: PipelineSettings
    shards: int
    newest: int
    board: PaceBoard
    start: Mapping[Position, int]
    end: Mapping[Position, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """What some batches hold: how far they go, for each shard, by its number, their slices, packed; and the dead letters."""

    progress: list[Progress]
    packed: list[bytes]
    dead: list[DeadLetter]


class _Gathered:
    """Batches that are handed over together."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._progress: list[Progress] = []
        self._slices: list[list[Slice]] = [[] for _ in range(shards)]
        self.dead: list[DeadLetter] = []
        self.messages = 0

    def __bool__(self) -> bool:
        return bool(self._progress)

    def add(self, intake: Intake, messages: int) -> None:
        """Add a batch."""
        self._progress.append(intake.progress)
        for mine, part in zip(self._slices, slices(intake.progress, intake.predictions, intake.outcomes, self._shards), strict=True):
            mine.append(part)
        self.dead.extend(intake.dead)
        self.messages += messages

    def read(self) -> Read:
        """Return them as what is handed over."""
        return Read(self._progress, [pack(mine) for mine in self._slices], self.dead)


def read_partitions(job: ReadJob, mark: WorkMark, hand_over: Callable[[Read], None]) -> None:
    """Read until all ends are reached; for ever, where there are none. Raises LogTruncated, BrokerUnavailable."""
    settings = job.settings
    for position in job.start:  # an earlier process may have died over it
        job.board.set(position, None)
    pace = Pace(_now_ms, settings.batch_messages, job.board)
    events = EventReader(settings, _now_ms, job.newest)
    reading = Reading(job.kafka, settings.idle_after_ms, settings.batch_messages, settings.accept_loss, pace=pace)
    readers = [PartitionReader(reading, position, start, job.end.get(position)) for position, start in job.start.items()]
    found = _Gathered(job.shards)
    while readers:
        until, is_small = time.monotonic() + _ROUND_S, True
        for reader in readers:
            batch = reader.next_batch()
            if batch is None:
                continue
            position = batch.topic, batch.partition
            mark.set(position, batch.start)
            intake = events.read(batch)
            mark.clear()
            pace.note(position, len(batch.values), intake.progress.newest)
            found.add(intake, len(batch.values))
            is_small &= found.messages * _LARGE_SHARE < settings.batch_messages
            if found.dead or not is_small:
                hand_over(found.read())
                found = _Gathered(job.shards)
        for reader in readers:
            if reader.done:
                reader.close()
        readers = [reader for reader in readers if not reader.done]
        if found:
            hand_over(found.read())
            found = _Gathered(job.shards)
        if readers and is_small:
            time.sleep(max(until - time.monotonic(), 0))


def serve(job: ReadJob, mark: WorkMark, connection: Connection, member: int | None) -> None:
    """Be the reading process: send what is read, then None or the error, pickled; end when nobody is there to receive it."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they reach the whole group; whoever started this process ends it
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(
            _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0
        )  # also one that is held: no thread of it could follow its parent
    Thread(target=_follow_parent, daemon=True).start()
    set_up_log(member)
    collect_seldom()
    last: Exception | None = None
    with suppress(BrokenPipeError):
        try:
            read_partitions(job, mark, lambda read: send(connection, packed(read)))
        except BrokenPipeError:
            raise
        except TowerError as error:
            last = error
        except Exception as error:
            log.exception("reading failed")
            last = RuntimeError(f"reading failed: {type(error).__name__}: {error}")  # any error may hold what cannot be pickled
        send(connection, packed(last))


def packed(item: Read | Exception | None) -> bytes:
    """Return what goes over the pipe for a batch, or for the end."""
    return pickle.dumps(item, _PICKLE_PROTOCOL)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)
