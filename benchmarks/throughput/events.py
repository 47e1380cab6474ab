"""The events that all candidates read: a seeded stream of predictions and outcomes, written to Kafka as fast as it goes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from confluent_kafka import KafkaError, Message, Producer

from schemas.errors import BrokerUnavailable
from schemas.kafka import KafkaSettings, producer_config
from schemas.topics import OUTCOMES, PREDICTIONS

MODELS = ("churn", "fraud", "ranking", "credit", "support")
VERSIONS = ("v1", "v2")
REGIONS, TIERS, VARIANTS = ("eu", "us", "asia"), ("free", "pro"), ("control", "treatment")
SPAN_MS = 30 * 60_000
OUTCOME_EVERY, DUPLICATE_EVERY = 3, 97
"""One prediction in three gets an outcome, a few seconds later in the log; one in 97 is delivered again."""
OUTCOME_DELAY, DUPLICATE_DELAY = 3_000, 500
"""How many predictions later in the log an outcome or a repeat comes."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, for the candidates' checks: records, distinct ids of predictions, outcomes with a label; bytes of the values."""

    predictions: int
    distinct: int
    outcomes: int
    labelled: int
    prediction_bytes: int
    bytes: int

    def as_dict(self) -> dict[str, int]:
        """Return the numbers by name."""
        return asdict(self)


def write_events(kafka: KafkaSettings, events: int, now_ms: int, seed: int, copy: Path) -> Written:
    """Write about `events` predictions and their outcomes, of the half hour before `now_ms` (epoch ms), at random to the partitions.

    The predictions are also written to the file `copy`, one a line.
    Raises BrokerUnavailable when not all of them are acknowledged.
    """
    producer = Producer(producer_config(kafka) | {"queue.buffering.max.messages": 500_000, "linger.ms": 20})
    failures: list[str] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(f"{message.topic()}: {error}")

    random_partition = cycle(np.random.default_rng(seed).integers(0, kafka.event_partitions, 100_003).tolist())
    counted: Counter[str] = Counter()
    size: Counter[str] = Counter()
    with copy.open("wb") as lines:
        for number, (topic, key, value, kind) in enumerate(stream(events, now_ms, seed)):
            while True:
                try:
                    producer.produce(topic, value, key, next(random_partition), on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.1)
            counted[kind] += 1
            size[topic] += len(value)
            if topic == PREDICTIONS:
                lines.write(value + b"\n")
            if number % 1000 == 0:
                producer.poll(0)
    if producer.flush(60) or failures:
        raise BrokerUnavailable(f"{len(producer)} events were not acknowledged, {len(failures)} failed: {failures[:1]}")
    return Written(
        predictions=counted["first"] + counted["repeat"],
        distinct=counted["first"],
        outcomes=counted["label"],
        labelled=counted["label"],
        prediction_bytes=size[PREDICTIONS],
        bytes=size.total(),
    )


def stream(events: int, now_ms: int, seed: int) -> Iterator[tuple[str, bytes, bytes, str]]:
    """Yield (topic, key, value, kind) in order of the log; `kind` is `first`, `repeat` or `label`. About `events` are predictions."""
    total = round(events / (1 + 1 / DUPLICATE_EVERY))
    drawn = np.random.default_rng(seed)
    latency = np.round(drawn.lognormal(3.2, 0.6, total), 3).tolist()
    jitter = drawn.integers(0, 2_000, total).tolist()
    choice = random.Random(seed)
    recent: list[tuple[bytes, bytes]] = []
    for number in range(total):
        created = now_ms - SPAN_MS + number * SPAN_MS // total - jitter[number]
        model = MODELS[number % len(MODELS)]
        key = f"{number:016d}".encode()
        label = choice.random() < 0.3
        value = (
            f'{{"prediction_id":"{number:016d}","model":"{model}","model_version":"{VERSIONS[choice.random() < 0.2]}",'
            f'"created_at":{created},"response_time_ms":{latency[number]},"status":"{"error" if choice.random() < 0.01 else "ok"}",'
            f'"prediction":{int(label ^ (choice.random() < 0.2))},"features":{{"age":{number % 71},"tenure":{latency[number] / 2:.2f},'
            f'"plan":{"null" if number % 53 == 0 else chr(34) + "basic" + chr(34)}}},"segments":{{"region":"{REGIONS[number % 3]}",'
            f'"tier":"{TIERS[number % 2]}"}},"variant":"{VARIANTS[choice.random() < 0.5]}"}}'
        ).encode()
        yield PREDICTIONS, key, value, "first"
        truth = b'{"prediction_id":"%b","model":"%b","created_at":%d,"label":%d,"converted":%b}' % (
            key,
            model.encode(),
            created + 4_000,
            label,
            b"true" if number % 7 == 0 else b"false",
        )
        recent.append((value, truth))
        if number % DUPLICATE_EVERY == DUPLICATE_EVERY - 1 and number >= DUPLICATE_DELAY:
            yield PREDICTIONS, b"repeat", recent[-DUPLICATE_DELAY][0], "repeat"
        if number % OUTCOME_EVERY == 0 and number >= OUTCOME_DELAY:
            yield OUTCOMES, b"outcome", recent[-OUTCOME_DELAY][1], "label"
        if len(recent) > 2 * OUTCOME_DELAY:
            del recent[:OUTCOME_DELAY]
