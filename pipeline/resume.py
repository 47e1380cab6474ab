"""Where to read on from: what all shards have committed, held against what Kafka still has."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition, Uuid
from confluent_kafka.admin import AdminClient

from pipeline.origins import KafkaTopic, WayOn, read_origins, store_origins, way_on
from pipeline.publish.acknowledged import acknowledged_file, write_acknowledged
from pipeline.publish.publisher import publisher_folder
from pipeline.publish.state import stored_sequences
from pipeline.reading.pace import Position
from pipeline.reading.partition import Assignment
from pipeline.shard.admissions import KEY_SET, Member, admissions_file, restore
from pipeline.shard.state import NAMES, ShardState
from pipeline.watermark import BEGINNING
from schemas.errors import BrokerUnavailable, TowerError
from schemas.files import replace_file
from schemas.kafka import KafkaSettings, admin_config, consumer_config
from schemas.topics import OUTCOMES, PREDICTIONS

log = logging.getLogger("tower.pipeline")
_ATTEMPT_S = 2.0
"""How long Kafka is waited for at a time: a signal is only seen in between."""
_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Resume:
    """Where each partition goes on, and the largest event time that any shard has seen."""

    assignment: Assignment
    newest: int


def shard_count(home: Path, wanted: int, *, default: int) -> int:
    """Return the number of shards of a home: it is fixed when the home is made, as `wanted`, or `default` where that is 0.

    Raises TowerError when another number is asked for later.
    """
    file = home / "state" / "shards.json"
    if file.exists():
        fixed = int(orjson.loads(file.read_bytes())["shards"])
        if wanted not in (0, fixed):
            raise TowerError(f"{home} was made with {fixed} shards, not {wanted}", "leave pipeline.shards at 0, or use a new TOWER_HOME")
        return fixed
    replace_file(file, orjson.dumps({"shards": wanted or default}), lasting=True)
    return wanted or default


def resume(
    home: Path, folders: Sequence[Path], kafka: KafkaSettings, *, accept_loss: bool, to_end: bool, keep_waiting: Callable[[], bool]
) -> Resume:
    """Return where to go on: of each partition the smallest offset that a shard has committed.

    Raises LogTruncated when Kafka no longer has events that were not yet read, or what was read, unless `accept_loss`.
    """
    committed: list[dict[Position, int]] = []
    newest = BEGINNING
    members: set[Member] = set()
    for folder in folders:
        state = ShardState(folder)
        members |= _members(state)
        committed.append(state.progress)
        times = state.watermark.get(PREDICTIONS, {})
        newest = max([newest, *(time for partition, time in times.items() if partition != "value")])
        state.close()
    restore(admissions_file(home), sorted(members))
    write_acknowledged(acknowledged_file(home), stored_sequences(publisher_folder(home)))
    topics = _topics(kafka, keep_waiting)
    way = way_on(committed, read_origins(home), topics, accept_loss=accept_loss)
    _rewind(folders, way)
    store_origins(home, way.origins)
    ends = {(name, partition): high for name, topic in topics.items() for partition, (_, high) in topic.kept.items()}
    return Resume(Assignment(way.start, ends if to_end else {}), newest)


def _rewind(folders: Sequence[Path], way: WayOn) -> None:
    """Have the shards forget progress that is none any more: they pass over what lies before it."""
    if not way.another and not way.ends:
        return
    log.warning("going on though Kafka has lost what was read: %s", ", ".join([*sorted(way.another), *map(str, sorted(way.ends))]))
    for folder in folders:
        state = ShardState(folder)
        state.progress = {
            position: min(offset, way.ends.get(position, offset))
            for position, offset in state.progress.items()
            if position[0] not in way.another
        }
        batch = state.store.batch()
        state.put_meta(batch, state.watermark)
        state.store.write(batch)
        state.close()


def _members(state: ShardState) -> set[Member]:
    """Return the names that a shard keeps, without those on which each shard decides alone."""
    stored = (orjson.loads(value) for _, value in state.store.scan(NAMES, b"members", b"members\xff"))
    return {(kind, owner, name) for kind, owner, name in stored if kind != KEY_SET}


def _topics(kafka: KafkaSettings, keep_waiting: Callable[[], bool]) -> dict[str, KafkaTopic]:
    """Return what Kafka has of both event topics; waits for a broker that is away."""
    consumer = Consumer({**consumer_config(kafka, "tower-pipeline"), "logger": log})
    quiet: dict[str, Any] = {**admin_config(kafka), "logger": log}
    admin = AdminClient(quiet)
    try:
        while True:
            try:
                return {name: _topic(consumer, admin, name) for name in (PREDICTIONS, OUTCOMES)}
            except KafkaException as error:
                if not keep_waiting():
                    raise BrokerUnavailable(
                        f"Kafka at {kafka.bootstrap_servers} does not answer", "start it, or check it with ./tower doctor"
                    ) from error
                log.warning("Kafka at %s does not answer (%s); waiting for it", kafka.bootstrap_servers, error)
                time.sleep(_PAUSE_S)
    finally:
        consumer.close()


def _topic(consumer: Consumer, admin: AdminClient, name: str) -> KafkaTopic:
    asked = admin.describe_topics(TopicCollection([name]), request_timeout=_ATTEMPT_S)[name]
    description = asked.result()
    kept = {
        partition.id: consumer.get_watermark_offsets(TopicPartition(name, partition.id), timeout=_ATTEMPT_S)
        for partition in description.partitions
    }
    known = description.topic_id is not None and description.topic_id != Uuid(0, 0)  # an old Kafka gives none
    return KafkaTopic(str(description.topic_id) if known else "", kept)
