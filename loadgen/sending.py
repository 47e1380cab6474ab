"""The producer: a bounded queue, a count of what Kafka has really acknowledged, and patience when Kafka is away."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TextIO

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.errors import BrokerUnavailable
from schemas.kafka import KafkaSettings, producer_config

QUEUED_EVENTS = 200_000
"""What waits in memory while Kafka is away or slow; beyond it, the generator waits."""


@dataclass(frozen=True, slots=True)
class Counts:
    """`produced` were handed to the client; of these Kafka has `acknowledged` and refused (`failed`) so many."""

    produced: int
    acknowledged: int
    failed: int

    @property
    def open(self) -> int:
        """What has neither been acknowledged nor failed."""
        return self.produced - self.acknowledged - self.failed


class Sender:
    """Sends events and counts delivery reports, the only proof that an event has arrived.

    Kafka that is down or goes away is waited for without limit, with one line when it is gone and one when it
    is back. Once `stop` is set, a full queue is no longer waited for.
    """

    def __init__(self, kafka: KafkaSettings, out: TextIO, stop: threading.Event, *, linger_ms: int = 5) -> None:
        self._servers = kafka.bootstrap_servers
        self._out = out
        self._stop = stop
        self._produced = self._acknowledged = self._failed = 0
        self._reason = ""
        self._away_since: float | None = None
        self._acknowledged_then = 0
        self.producer = Producer(
            {
                **producer_config(kafka),
                "linger.ms": linger_ms,
                "message.timeout.ms": 0,  # by default an event is given up after five minutes of outage
                "queue.buffering.max.messages": QUEUED_EVENTS,
                "queue.buffering.max.kbytes": 262_144,
                "on_delivery": self._delivered,
                "error_cb": self._trouble,
            }
        )

    @property
    def counts(self) -> Counts:
        """What has been sent so far, as of the last `poll`."""
        return Counts(self._produced, self._acknowledged, self._failed)

    def send(self, topic: str, key: bytes, value: bytes) -> bool:
        """Queue an event; wait while the queue is full. Return whether it was queued: false only after `stop`.

        Raises BrokerUnavailable when the client can never send again, or the event is refused.
        """
        while True:
            try:
                self.producer.produce(topic, value, key)
            except BufferError:
                if self._stop.is_set():
                    return False
                self.poll(0.02)
            except KafkaException as error:
                raise self.refused(error) from error
            else:
                self._produced += 1
                return True

    def queued(self, count: int) -> None:
        """Count events that the caller has itself handed to `producer`."""
        self._produced += count

    def poll(self, timeout_s: float = 0) -> None:
        """Take in delivery reports, for at most `timeout_s`."""
        self.producer.poll(timeout_s)
        if self._away_since is not None and self._acknowledged > self._acknowledged_then:
            self._say(f"Kafka is back after {time.monotonic() - self._away_since:.0f} s")
            self._away_since = None

    def finish(self, patience_s: float = 60) -> Counts:
        """Wait until all is acknowledged, at most `patience_s`, or 3 s once `stop` is set; return the final counts."""
        deadline = time.monotonic() + patience_s
        stop_deadline = None
        while len(self.producer) > 0 and time.monotonic() < deadline:
            if self._stop.is_set():
                stop_deadline = stop_deadline or time.monotonic() + 3
                if time.monotonic() > stop_deadline:
                    break
            self.poll(0.1)
        return self.counts

    def report(self) -> str:
        """Return the line that ends a run."""
        counts = self.counts
        line = f"{counts.produced:,} produced, {counts.acknowledged:,} acknowledged, {counts.failed:,} failed"
        if counts.open:
            line += f", {counts.open:,} not acknowledged in time"
        return f"{line} ({self._reason})" if self._reason else line

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._acknowledged += 1
        else:
            self._failed += 1
            self._reason = f"last reason: {error.str()}"

    def _trouble(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and self._away_since is None:
            self._away_since = time.monotonic()
            self._acknowledged_then = self._acknowledged
            self._say(f"Kafka at {self._servers} does not answer; waiting for it, with {len(self.producer):,} events queued")
        elif error.code() == KafkaError._AUTHENTICATION:
            self._say(f"Kafka at {self._servers} refuses the credentials: {error.str()}")

    def refused(self, error: KafkaException) -> BrokerUnavailable:
        """Return the error of a client that can send no more."""
        return BrokerUnavailable(f"Kafka at {self._servers} takes no more events: {error.args[0].str()}", "check the broker's log")

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)
