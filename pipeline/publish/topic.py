"""Messages to Kafka with proof: what is not acknowledged has not been sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, Message, Producer

from schemas.errors import BrokerUnavailable
from schemas.kafka import KafkaSettings, producer_config
from schemas.topics import LARGEST_DEAD_LETTER_BYTES

log = logging.getLogger("tower.pipeline")
_WAIT_S = 1.0
_TOLD_AFTER_S = 5.0
_TOLD_EVERY_S = 30.0
_LARGE = {"message.max.bytes": LARGEST_DEAD_LETTER_BYTES}
Header = tuple[str, str | bytes | None]
KeepWaiting = Callable[[], bool]


class AcknowledgedProducer:
    """Produces a batch of messages and waits until each is acknowledged.

    A broker that is away is waited for, for as long as `keep_waiting` says so; BrokerUnavailable is raised when it says no,
    or when a message can never be accepted.
    """

    def __init__(self, kafka: KafkaSettings, keep_waiting: KeepWaiting) -> None:
        self._producer = Producer({**producer_config(kafka), "message.timeout.ms": 0, "queue.buffering.max.messages": 1_000_000, **_LARGE})
        self._keep_waiting = keep_waiting
        self._failed: list[str] = []
        self._tell_at_s = 0.0
        self.offsets: dict[int, int] = {}
        """For each partition the offset after the last acknowledged message."""

    def send(self, topic: str, messages: Iterable[tuple[bytes | None, bytes | None, list[Header] | None]]) -> None:
        """Send (key, value, headers) and wait for all acknowledgements."""
        produce = self._producer.produce
        self._tell_at_s = time.monotonic() + _TOLD_AFTER_S
        for key, value, headers in messages:
            while True:
                try:
                    produce(topic, value, key, on_delivery=self._delivered, headers=headers)
                    break
                except BufferError:
                    self._producer.poll(0.1)
                    self._judge_waiting(topic)
        while self._producer.flush(_WAIT_S):
            self._judge_waiting(topic)
        if self._failed:
            reason, self._failed = self._failed[0], []
            raise BrokerUnavailable(f"Kafka refused messages to {topic}: {reason}", "check the topic's settings with ./tower doctor")

    def _judge_waiting(self, topic: str) -> None:
        if not self._keep_waiting():
            raise BrokerUnavailable(
                f"{len(self._producer)} messages to {topic} were not acknowledged", "they are sent again at the next start"
            )
        if time.monotonic() > self._tell_at_s:
            self._tell_at_s = time.monotonic() + _TOLD_EVERY_S
            log.warning("Kafka does not acknowledge messages to %s; waiting for it", topic)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(error.str())
            return
        partition, offset = message.partition(), message.offset()
        if partition is not None and offset is not None:
            self.offsets[partition] = max(self.offsets.get(partition, 0), offset + 1)
