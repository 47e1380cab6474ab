"""The events: predictions that wait for labels, ordinary traffic, and outcomes of those that wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import orjson
from confluent_kafka import Producer

from benchmarks.throughput.events import stream
from schemas.errors import BrokerUnavailable
from schemas.kafka import KafkaSettings, producer_config
from schemas.topics import OUTCOMES, PREDICTIONS

_TEMPLATES = 3_000
OUTCOME_EVERY = 3
Event = tuple[str, bytes, bytes]
"""Topic, key, value."""


@dataclass(frozen=True, slots=True)
class Templates:
    """What follows the id and the time in a prediction, and its model; number `n` has those at `n` modulo their number."""

    tails: list[bytes]
    models: list[str]


def templates(seed: int) -> Templates:
    """Return the predictions of `benchmarks.throughput`, without ids and times."""
    tails, models = [], []
    for topic, _, value, _ in stream(_TEMPLATES, 1_700_000_000_000, seed):
        if topic == PREDICTIONS:
            fields = {name: field for name, field in orjson.loads(value).items() if name not in ("prediction_id", "created_at")}
            tails.append(b"," + orjson.dumps(fields)[1:])
            models.append(fields["model"])
    return Templates(tails, models)


def waiting(kinds: Templates, prefix: bytes, count: int, start_ms: int, end_ms: int) -> Iterator[Event]:
    """Yield `count` predictions with ids `<prefix><number>`, made evenly from `start_ms` to before `end_ms`, without outcomes."""
    tails, every = kinds.tails, len(kinds.tails)
    for number in range(count):
        key = b"%b%d" % (prefix, number)
        at = start_ms + number * (end_ms - start_ms) // count
        yield PREDICTIONS, key, b'{"prediction_id":"%b","created_at":%d%b' % (key, at, tails[number % every])


def outcomes(kinds: Templates, prefix: bytes, numbers: Iterable[int], at_ms: int) -> Iterator[Event]:
    """Yield an outcome at `at_ms` for each of the predictions `<prefix><number>`."""
    models, every = kinds.models, len(kinds.models)
    for number in numbers:
        key = b"%b%d" % (prefix, number)
        event = b'{"prediction_id":"%b","model":"%b","created_at":%d,"label":%d}'
        yield OUTCOMES, key, event % (key, models[number % every].encode(), at_ms, number % 3 == 0)


def traffic(kinds: Templates, count: int, start_ms: int, end_ms: int, labelled: Iterator[Event]) -> Iterator[Event]:
    """Yield `count` predictions made from `start_ms` to before `end_ms`, and after each three of them the next of `labelled`."""
    for number, event in enumerate(waiting(kinds, b"new-", count, start_ms, end_ms), 1):
        yield event
        if number % OUTCOME_EVERY == 0:
            yield next(labelled)


def send(kafka: KafkaSettings, events: Iterable[Event], seed: int) -> int:
    """Send events at random to the partitions, wait until all have arrived, and return how many they were.

    Raises BrokerUnavailable when not all are acknowledged.
    """
    producer = Producer(producer_config(kafka) | {"queue.buffering.max.messages": 500_000, "linger.ms": 20})
    partitions = cycle(np.random.default_rng(seed).integers(0, kafka.event_partitions, 100_003).tolist())
    produce, count = producer.produce, 0
    for topic, key, value in events:
        while True:
            try:
                produce(topic, value, key, next(partitions))
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
        if count % 10_000 == 0:
            producer.poll(0)
    if left := producer.flush(120):
        raise BrokerUnavailable(f"{left} events were not acknowledged", "see the log of Kafka")
    return count
