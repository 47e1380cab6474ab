"""Runs the pipeline: one process, or a cluster of them on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from threading import Event as Flag

from confluent_kafka.admin import AdminClient

from pipeline.cluster import run_cluster
from pipeline.dataflow import Job, shard_folder
from pipeline.ending import Ending
from pipeline.lock import home_lock
from pipeline.reading.credit import Credit
from pipeline.reading.pace import PaceBoard
from pipeline.resume import resume, shard_count
from pipeline.settings import PipelineSettings
from pipeline.speech import set_up_log
from pipeline.worker import run_worker
from schemas.errors import BrokerUnavailable
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import ensure_topics

log = logging.getLogger("tower.pipeline")
_ATTEMPT_S = 2.0
"""How long Kafka is waited for at a time: a signal is only seen in between."""


def run_pipeline(*, home: Path, kafka: KafkaSettings, settings: PipelineSettings, until_caught_up: bool = False) -> bool:
    """Run the dataflow until SIGTERM, SIGINT or, with `until_caught_up`, the ends of the topics as they are now.

    Return whether it has done what was asked: one that was stopped before it had caught up has not.
    Raises HomeInUse when another pipeline runs on this home, LogTruncated when events were dropped unread.
    """
    set_up_log()
    ending = Ending()
    with home_lock(home), ending.by_signals():
        shards = shard_count(home, settings.shards, default=min(max(os.cpu_count() or 2, 2), 8))
        _ensure_topics(kafka, ending.flag)

        def job() -> Job:
            folders = [shard_folder(home, shard) for shard in range(shards)]
            found = resume(
                home,
                folders,
                kafka,
                accept_loss=settings.accept_loss,
                to_end=until_caught_up,
                keep_waiting=lambda: not ending.told,
            )
            board = PaceBoard(found.assignment.start)
            credit = Credit(settings.processes, shards)
            return Job(home, kafka, settings, shards, settings.processes, found.assignment, found.newest, board, credit, until_caught_up)

        while not ending.flag.is_set():
            try:
                _run(job, ending)
            except BrokerUnavailable as error:
                if not ending.told:
                    raise
                log.warning("%s", error)  # told to stop while the broker was away: what was not sent is sent next time
            if not ending.again():
                break
        if until_caught_up and ending.told:
            log.warning("stopped before it had caught up: the next start goes on from here")
            return False
        return True


def _run(job: Callable[[], Job], ending: Ending) -> None:
    """Run the dataflow once, in this process or in a cluster; one that does not end by itself ends when there are new partitions."""
    first = latest = job()

    def following() -> Job:
        nonlocal latest
        latest = job()
        return latest

    watched = nullcontext() if first.drain else ending.by_new_partitions(first.kafka, lambda: latest.assignment.start)
    with watched:
        if first.workers > 1:
            run_cluster(first, following, ending.flag)
        else:
            run_worker(first, ending.flag, told=lambda: ending.told)


def _ensure_topics(kafka: KafkaSettings, stopping: Flag) -> None:
    """Create the topics, waiting for a broker that is away."""
    while not stopping.is_set():
        try:
            ensure_topics(
                AdminClient(admin_config(kafka)),
                event_partitions=kafka.event_partitions,
                replication_factor=kafka.replication_factor,
                timeout_s=_ATTEMPT_S,
            )
            return
        except BrokerUnavailable as error:
            log.warning("%s; waiting for it", error)
            stopping.wait(1)
