"""How long nothing was published: the longest time between two messages on `tower.metrics`."""

from __future__ import annotations

import threading
import time

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from schemas.kafka import KafkaSettings, consumer_config
from schemas.topics import METRICS

_LOOK_S = 0.05
_AT_ONCE = 10_000


class Gaps:
    """Follows the topic from its end on, in a thread of its own, until `close`."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._consumer = Consumer(consumer_config(kafka, "gaps") | {"enable.partition.eof": False})
        self._consumer.assign([TopicPartition(METRICS, 0, OFFSET_END)])
        self._lock = threading.Lock()
        self._last_s = time.monotonic()
        self._longest_s = 0.0
        self._ended = threading.Event()
        self.messages = 0
        self._thread = threading.Thread(target=self._follow, name="gaps", daemon=True)
        self._thread.start()

    def take(self) -> float:
        """Return the longest time without a message since the last call, in seconds, the one that still lasts included."""
        with self._lock:
            longest = max(self._longest_s, time.monotonic() - self._last_s)
            self._longest_s = 0.0
        return longest

    def restart(self) -> None:
        """Forget the time up to now, in which nothing was expected."""
        with self._lock:
            self._last_s, self._longest_s = time.monotonic(), 0.0

    def close(self) -> None:
        """End following."""
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def _follow(self) -> None:
        while not self._ended.is_set():
            good = [message for message in self._consumer.consume(_AT_ONCE, _LOOK_S) if not message.error()]
            if good:
                self._note(len(good))

    def _note(self, count: int) -> None:
        now = time.monotonic()
        with self._lock:
            self._longest_s = max(self._longest_s, now - self._last_s)
            self._last_s = now
            self.messages += count
