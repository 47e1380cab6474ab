"""How far Kafka's logs go beyond what the pipeline has taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, TopicPartition

from dashboard.watch.report import PartitionLag
from schemas.health import PipelineHealth
from schemas.topics import OUTCOMES, PREDICTIONS

Bounds = Mapping[tuple[str, int], tuple[int, int]]


def bounds(consumer: Consumer, timeout_s: float) -> Bounds:
    """Return the first and the end offset of each partition of both event topics. Raises KafkaException while Kafka is away."""
    found = {}
    for topic in (PREDICTIONS, OUTCOMES):
        for partition in consumer.list_topics(topic, timeout_s).topics[topic].partitions:
            found[topic, partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout_s)
    return found


def lags(health: PipelineHealth | None, found: Bounds) -> Sequence[PartitionLag]:
    """Return the lag of each partition, by topic and number; of one that has not been read yet, from its beginning."""
    taken = {(each.topic, each.partition): each.offset for each in health.partitions} if health else {}
    return [
        PartitionLag(topic, partition, taken.get((topic, partition), low), high)
        for (topic, partition), (low, high) in sorted(found.items())
    ]
