"""Where to read on from: what all shards have committed, held against what Kafka still has."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson
from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipeline.publish.publisher import acknowledged_file, publisher_folder, write_acknowledged
from pipeline.publish.state import stored_sequences
from pipeline.shard.admissions import KEY_SET, Member, admissions_file, restore
from pipeline.shard.state import NAMES, ShardState
from pipeline.source import Assignment, Position, lost, note_loss
from pipeline.watermark import BEGINNING
from schemas.errors import BrokerUnavailable, TowerError
from schemas.files import replace_file
from schemas.kafka import KafkaSettings, consumer_config
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
    home: Path, folders: Iterable[Path], kafka: KafkaSettings, *, accept_loss: bool, to_end: bool, keep_waiting: Callable[[], bool]
) -> Resume:
    """Return where to go on: of each partition the smallest offset that a shard has committed.

    Raises LogTruncated when Kafka has dropped events that were not yet read, unless `accept_loss`.
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
    kept = _kept_offsets(kafka, keep_waiting)
    start = {position: _start(position, committed, low, high, accept_loss) for position, (low, high) in kept.items()}
    return Resume(Assignment(start, {position: high for position, (_, high) in kept.items()} if to_end else {}), newest)


def _members(state: ShardState) -> set[Member]:
    """Return the names that a shard keeps, without those on which each shard decides alone."""
    stored = (orjson.loads(value) for _, value in state.store.scan(NAMES, b"members", b"members\xff"))
    return {(kind, owner, name) for kind, owner, name in stored if kind != KEY_SET}


def _start(position: Position, committed: list[dict[Position, int]], low: int, high: int, accept_loss: bool) -> int:
    # A shard that was ended before its first commit has none; what the log began with then is not known, but not long ago.
    offset = min(progress.get(position, low) for progress in committed)
    topic, partition = position
    if offset > high:
        raise TowerError(
            f"{topic}/{partition}: offset {offset} was read, but the topic ends at {high}: it was made anew", "use a new TOWER_HOME for it"
        )
    if offset >= low:
        return offset
    if not accept_loss:
        raise lost(topic, partition, offset)
    note_loss(topic, partition, offset, low)
    return low


def _kept_offsets(kafka: KafkaSettings, keep_waiting: Callable[[], bool]) -> dict[Position, tuple[int, int]]:
    """Return the first offset and the end of each partition of both event topics; waits for a broker that is away."""
    consumer = Consumer({**consumer_config(kafka, "tower-pipeline"), "logger": log})
    try:
        while True:
            try:
                topics = consumer.list_topics(timeout=_ATTEMPT_S).topics
                return {
                    (topic, partition): consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_ATTEMPT_S)
                    for topic in (PREDICTIONS, OUTCOMES)
                    for partition in sorted(topics[topic].partitions)
                }
            except (KafkaException, KeyError) as error:
                if not keep_waiting():
                    raise BrokerUnavailable(
                        f"Kafka at {kafka.bootstrap_servers} does not answer", "start it, or check it with ./tower doctor"
                    ) from error
                log.warning("Kafka at %s does not answer (%s); waiting for it", kafka.bootstrap_servers, error)
                time.sleep(_PAUSE_S)
    finally:
        consumer.close()
