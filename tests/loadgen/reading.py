"""Reading back what was sent: all records of a topic up to its end."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

from schemas.kafka import KafkaSettings, consumer_config


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies in Kafka; `written_at` is the broker's time in milliseconds."""

    key: bytes
    value: bytes
    written_at: int


def read_all(kafka: KafkaSettings, topic: str) -> list[Record]:
    """Return all records of `topic`, partition by partition."""
    consumer = Consumer(consumer_config(kafka, "reading"))
    try:
        partitions = list(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        records: list[Record] = []
        ended: set[int | None] = set()
        while len(ended) < len(partitions):
            for message in consumer.consume(10_000, timeout=1.0):
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    ended.add(message.partition())
                    continue
                records.append(Record(message.key() or b"", message.value() or b"", message.timestamp()[1]))
        return records
    finally:
        consumer.close()
