"""Runs the pipeline: one process, or a cluster of them on this machine."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event as Flag
from types import FrameType

from bytewax._bytewax import run_main
from confluent_kafka.admin import AdminClient

from pipeline.dataflow import Job, build, shard_folder
from pipeline.lock import home_lock
from pipeline.resume import resume, shard_count
from pipeline.settings import PipelineSettings
from schemas.errors import BrokerUnavailable
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import ensure_topics

log = logging.getLogger("tower.pipeline")
_EPOCH = timedelta(milliseconds=100)
"""Bytewax lets no source run more than one epoch ahead of the slowest step: this bounds what is in flight."""


def run_pipeline(*, home: Path, kafka: KafkaSettings, settings: PipelineSettings, until_caught_up: bool = False) -> None:
    """Run the dataflow until SIGTERM, SIGINT or, with `until_caught_up`, the ends of the topics as they are now.

    Raises HomeInUse when another pipeline runs on this home, LogTruncated when events were dropped unread.
    """
    home.mkdir(parents=True, exist_ok=True)
    with home_lock(home), _stop_flag() as stopping:
        shards = shard_count(home, settings.shards or min(max(os.cpu_count() or 2, 2), 8))
        _ensure_topics(kafka, stopping)
        if stopping.is_set():
            return
        found = resume(
            home,
            [shard_folder(home, shard) for shard in range(shards)],
            kafka,
            accept_loss=settings.accept_loss,
            to_end=until_caught_up,
            keep_waiting=lambda: not stopping.is_set(),
        )
        job = Job(
            home=home,
            kafka=kafka,
            settings=settings,
            shards=shards,
            workers=1,
            assignment=found.assignment,
            newest=found.newest,
            drain=until_caught_up,
            stopping=stopping,
            clock=lambda: time.time_ns() // 1_000_000,
            failures=[],
        )
        try:
            run_main(build(job), epoch_interval=_EPOCH)
        except BaseException as error:
            failure = job.failures[0] if job.failures else error
            if isinstance(failure, BrokerUnavailable) and stopping.is_set() and not until_caught_up:
                log.warning("%s", failure)  # told to stop while the broker was away: what was not sent is sent next time
                return
            raise failure from None


def _ensure_topics(kafka: KafkaSettings, stopping: Flag) -> None:
    """Create the topics, waiting for a broker that is away."""
    while not stopping.is_set():
        try:
            ensure_topics(AdminClient(admin_config(kafka)), event_partitions=kafka.event_partitions, replication_factor=kafka.replication_factor)
            return
        except BrokerUnavailable as error:
            log.warning("%s; waiting for it", error)
            stopping.wait(1)


@contextmanager
def _stop_flag() -> Iterator[Flag]:
    """Yield a flag that SIGTERM and SIGINT set: Bytewax would end without closing anything."""
    stopping = Flag()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
