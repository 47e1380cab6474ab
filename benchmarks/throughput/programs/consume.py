"""The raw limits: confluent-kafka's `consume`, alone or with `orjson.loads`, and nothing done with what comes.

Run by the benchmark as `python -m benchmarks.throughput.programs consume BOOTSTRAP predictions|both read|parse`.
"""

from __future__ import annotations

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.throughput.job import Stopwatch, report
from schemas.kafka import KafkaSettings, consumer_config
from schemas.topics import OUTCOMES, PREDICTIONS

_BATCH = 10_000
_WAIT_S = 0.05


def main(bootstrap: str, topics: str, action: str) -> None:
    """Read the topics to their ends, and report."""
    consumer = Consumer(consumer_config(KafkaSettings(bootstrap_servers=bootstrap), "benchmark"))
    partitions = [
        TopicPartition(topic, partition, 0)
        for topic in ((PREDICTIONS, OUTCOMES) if topics == "both" else (PREDICTIONS,))
        for partition in consumer.list_topics(topic, timeout=30).topics[topic].partitions
    ]
    consumer.assign(partitions)
    parse = action == "parse"
    events, ended, watch = 0, 0, Stopwatch()
    while ended < len(partitions):
        for message in consumer.consume(_BATCH, _WAIT_S):
            error = message.error()
            if error is None:
                value = message.value() or b""
                if parse:
                    orjson.loads(value)
                events += 1
            elif error.code() == KafkaError._PARTITION_EOF:
                ended += 1
            else:
                raise KafkaException(error)
    seconds, processor = watch.read()
    consumer.close()
    report(events, seconds, processor)
