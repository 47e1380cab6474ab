"""Follows `tower.dead-letters`: the newest of them, and how many there are by reason."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence

from confluent_kafka import Consumer, Message, TopicPartition

from dashboard.watch.report import Letter, Letters, ReasonCount
from schemas.topics import DEAD_LETTERS

LOOKED_AT = 1_000
SHOWN_LETTERS = 20
_SHOWN_BYTES = 300
_SHOWN_REASONS = 12
_BATCH = 500
_HOUR_MS = 3_600_000
_VARIES = re.compile(r"\"[^\"]*\"|'[^']*'|\d+")
"""What differs between reasons of one kind: what was got, and where."""


def shown(value: bytes | None) -> str:
    """Return the beginning of bytes as text in which each of them can be seen: what is no printable text is escaped."""
    if value is None:
        return "(no value)"
    text = value[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
    safe = "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in text)
    return safe + ("\u2026" if len(value) > _SHOWN_BYTES else "")


def letter_of(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Letter:
    """Return a dead letter from the headers and the value of its message."""
    text = {name: (content or b"").decode("utf-8", "replace") for name, content in headers}
    received = text.get("received_at", "")
    return Letter(
        received_at=int(received) if received.isdigit() else 0,
        topic=text.get("topic", ""),
        partition=text.get("partition", ""),
        offset=text.get("offset", ""),
        path=text.get("path", ""),
        reason=text.get("reason", ""),
        size=len(value or b""),
        shown=shown(value),
    )


def summary(letters: Sequence[Letter], kept: int, now_ms: int) -> Letters:
    """Return what is shown of the newest letters, in the order in which they came."""
    kinds: dict[str, list[Letter]] = {}
    for letter in letters:
        kinds.setdefault(_VARIES.sub("#", letter.reason), []).append(letter)
    counts = [ReasonCount(some[-1].reason, len(some), max(letter.received_at for letter in some)) for some in kinds.values()]
    counts.sort(key=lambda count: (-count.count, -count.newest, count.example))
    last_hour = sum(now_ms - letter.received_at <= _HOUR_MS for letter in letters)
    last = list(reversed(letters[-SHOWN_LETTERS:]))
    return Letters(kept, len(letters), last_hour, counts[:_SHOWN_REASONS], last)


class LetterReader:
    """Reads the topic with a consumer of its own, which it does not own; begins with the newest `LOOKED_AT` of each partition."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._letters: deque[Letter] = deque(maxlen=LOOKED_AT)
        self._bounds: dict[int, tuple[int, int]] = {}
        self._assigned = False

    def poll(self, timeout_s: float) -> None:
        """Take what has come. Raises KafkaException while Kafka or the topic is away."""
        if not self._assigned:
            self._assign(timeout_s)
        for message in self._consumer.consume(_BATCH, 0.05):
            if message.error() is None:
                self._take(message)
        for partition in self._bounds:
            self._bounds[partition] = self._consumer.get_watermark_offsets(TopicPartition(DEAD_LETTERS, partition), timeout_s)

    def summary(self, now_ms: int) -> Letters:
        """Return what is known of them."""
        kept = sum(high - low for low, high in self._bounds.values())
        return summary(list(self._letters), kept, now_ms)

    def _assign(self, timeout_s: float) -> None:
        starts = []
        for partition in self._consumer.list_topics(DEAD_LETTERS, timeout_s).topics[DEAD_LETTERS].partitions:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(DEAD_LETTERS, partition), timeout_s)
            self._bounds[partition] = low, high
            starts.append(TopicPartition(DEAD_LETTERS, partition, max(low, high - LOOKED_AT)))
        if starts:
            self._consumer.assign(starts)
            self._assigned = True

    def _take(self, message: Message) -> None:
        headers: Iterable[tuple[str, bytes]] = message.headers() or []  # type: ignore[assignment]
        value = message.value()
        self._letters.append(letter_of(headers, None if value is None else bytes(value)))
