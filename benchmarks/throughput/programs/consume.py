"""Candidate 1: confluent-kafka `consume` and `orjson.loads`, and nothing done with what comes: the ceiling for Python.

Run by the benchmark as `python -m benchmarks.throughput.consume BOOTSTRAP EVENTS`.
"""

from __future__ import annotations

import json
import sys
import time

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.kafka import KafkaSettings, consumer_config
from schemas.topics import OUTCOMES, PREDICTIONS

BATCH = 10_000


def consume_all(kafka: KafkaSettings) -> dict[str, float]:
    """Read both event topics to their ends; return `events`, and `seconds` from the first read to the last."""
    consumer = Consumer(consumer_config(kafka, "benchmark"))
    partitions = [
        TopicPartition(topic, partition, 0)
        for topic in (PREDICTIONS, OUTCOMES)
        for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions
    ]
    consumer.assign(partitions)
    events, ended, start = 0, 0, time.perf_counter()
    while ended < len(partitions):
        for message in consumer.consume(BATCH, 0.05):
            error = message.error()
            if error is None:
                orjson.loads(message.value() or b"")
                events += 1
            elif error.code() == KafkaError._PARTITION_EOF:
                ended += 1
            else:
                raise KafkaException(error)
    seconds = time.perf_counter() - start
    consumer.close()
    return {"events": events, "seconds": seconds}


def main(bootstrap: str, events: int) -> int:
    """Print the measurement as JSON; return 1 when it has not read as many events as were written."""
    found = consume_all(KafkaSettings(bootstrap_servers=bootstrap))
    print(json.dumps(found))
    return 0 if found["events"] == events else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
