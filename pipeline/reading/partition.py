"""Reading Kafka in batches: one consumer a partition, one batch a `consume()` call."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.intake import RawBatch
from pipeline.reading.outage import OutageLog
from pipeline.reading.pace import Pace, Position
from schemas.errors import BrokerUnavailable, LogTruncated
from schemas.kafka import KafkaSettings, consumer_config

log = logging.getLogger("tower.pipeline")
_HEARTBEAT_S = 0.2
_SELDOM = {"fetch.min.bytes": 65_536, "fetch.wait.max.ms": 50}
"""Else the broker answers each time an event has come, thousands of times a second."""
_ANSWER_S = 5.0
_LONGEST_HOLD_S = 2.0
"""A partition waits no longer for others than this after each of its batches: then they are slow, or have old events of their own."""
_LOST = {KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET}
_FATAL = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION, KafkaError.TOPIC_AUTHORIZATION_FAILED}


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where to read each partition from and, for a run that ends when it has caught up, up to where (exclusive)."""

    start: Mapping[Position, int]
    end: Mapping[Position, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read. A partition that is quiet for `idle_after_ms` counts as idle.

    `accept_loss` goes on behind events that Kafka has dropped before they were read, instead of raising LogTruncated.
    """

    kafka: KafkaSettings
    idle_after_ms: int
    batch_messages: int
    accept_loss: bool = False
    outage: OutageLog = field(default_factory=OutageLog)
    pace: Pace | None = None
    """Holds back partitions that are ahead of others; without it none is."""


class PartitionReader:
    """Returns the batches of one partition, and a heartbeat when there are none."""

    def __init__(self, reading: Reading, position: Position, start: int, end: int | None) -> None:
        self._topic, self._partition = position
        self._next = start
        self._end = end
        self._reading = reading
        self._idle_after_s = reading.idle_after_ms / 1000
        self._at_end = False
        self._idle = False
        self._spoken = self._last_message = time.monotonic()
        config = {**consumer_config(reading.kafka, "tower-pipeline"), **_SELDOM}
        self._consumer = Consumer({**config, "error_cb": reading.outage.note, "logger": log})
        self._consumer.assign([TopicPartition(self._topic, self._partition, start)])
        self.done = False
        """Whether the end that was asked for is reached: there is nothing more to read."""

    def next_batch(self) -> RawBatch | None:
        """Return a batch if there is one, without waiting for it. Raises LogTruncated, BrokerUnavailable."""
        if self._end is not None and self._next >= self._end:
            self.done = True
            return self._batch([], self._next, idle=True)
        now = time.monotonic()
        if self._is_ahead() and now - self._last_message < _LONGEST_HOLD_S:
            return None
        messages = self._consumer.consume(self._reading.batch_messages, 0)
        start = self._next
        good = self._without_events(messages)
        if good:
            self._next = max(self._next, _offset(good[-1]) + 1)
            self._idle = False
            self._last_message = self._spoken = now
            return self._batch(good, start, idle=False)
        became_idle = self._at_end and not self._idle and now - self._last_message >= self._idle_after_s
        if became_idle or self._next != start or now - self._spoken >= _HEARTBEAT_S:
            self._idle |= became_idle
            self._spoken = now
            return self._batch([], start, idle=self._idle)
        return None

    def close(self) -> None:
        """Let go of the consumer."""
        self._consumer.close()

    def _is_ahead(self) -> bool:
        return self._reading.pace is not None and self._reading.pace.is_ahead((self._topic, self._partition))

    def _batch(self, messages: list[Message], start: int, *, idle: bool) -> RawBatch:
        first, last = (_offset(messages[0]), _offset(messages[-1])) if messages else (0, -1)
        dense = last - first + 1 == len(messages)
        offsets = np.arange(first, last + 1) if dense else np.array([_offset(message) for message in messages], dtype=np.int64)
        values = [message.value() for message in messages]
        return RawBatch(self._topic, self._partition, start, self._next, idle, offsets, values, lambda at: _bytes(messages[at].key()))

    def _without_events(self, messages: list[Message]) -> list[Message]:
        """Return the messages without librdkafka's own events, which come in between."""
        errors = [message.error() for message in messages]
        if not any(errors):  # a KafkaError is true, and comparing it with None raises
            if messages:
                self._at_end = False
                self._reading.outage.heard()
            return messages
        good = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
                self._at_end = False  # the notice of the end comes once, and may be in this very list, behind the last message
            elif error.code() == KafkaError._PARTITION_EOF:
                # Markers of transactions take offsets too: the end may lie beyond the last message.
                self._next = max(self._next, _offset(message))
                self._at_end = True
                self._reading.outage.heard()
            elif error.code() in _LOST:
                self._pass_over_the_lost()
            elif error.code() in _FATAL:
                raise BrokerUnavailable(f"{self._topic}/{self._partition}: {error.str()}", "check the topic with ./tower doctor")
            else:
                self._reading.outage.note(error)
        return good

    def _pass_over_the_lost(self) -> None:
        place = TopicPartition(self._topic, self._partition)
        try:
            first, end = self._consumer.get_watermark_offsets(place, timeout=_ANSWER_S)
        except KafkaException as error:  # it went away meanwhile; read anew, this partition comes here again
            self._reading.outage.note(error.args[0])
            self._consumer.assign([TopicPartition(self._topic, self._partition, self._next)])
            return
        if self._next > end:  # what to do then is decided at a start, for all partitions and shards together
            raise LogTruncated(
                f"{self._topic}/{self._partition} was read up to offset {self._next}, but now ends at {end}",
                "start again: it says what to do",
            )
        if not self._reading.accept_loss:
            raise lost(self._topic, self._partition, self._next)
        note_loss(self._topic, self._partition, self._next, first)
        self._next = max(self._next, first)
        self._consumer.assign([TopicPartition(self._topic, self._partition, self._next)])


def lost(topic: str, partition: int, offset: int, by: str = "") -> LogTruncated:
    """Return the error for offsets that Kafka has dropped before they were read; `by` says by which part where others have read them."""
    return LogTruncated(
        f"{topic}/{partition}: the events from offset {offset} on were dropped by the topic's retention before they were read{by}",
        "set pipeline.accept_loss = true (TOWER_PIPELINE__ACCEPT_LOSS=true) to go on without them",
    )


def note_loss(topic: str, partition: int, offset: int, first: int) -> None:
    """Log that events from `offset` to before `first` were dropped by Kafka, which is accepted."""
    log.warning("%s/%d: going on at %d; the events from %d on were lost", topic, partition, first, offset)


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None
    return offset


def _bytes(key: Any) -> bytes | None:
    return key.encode() if isinstance(key, str) else key
