"""Bad messages go to `tower.dead-letters` as they were received, with headers that say why."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pipeline.intake import DeadLetter
from pipeline.publish.topic import AcknowledgedProducer
from schemas.topics import DEAD_LETTERS

log = logging.getLogger("tower.pipeline")
_TELL_EVERY_MS = 10_000


class DeadLetterOffice:
    """Sends dead letters, and waits until Kafka has them: only then may the shards pass over their offsets.

    After a crash the letters since the last commit are sent again, with the same `topic`, `partition` and `offset`. Not to do so would
    take a look into the topic at each start, or a store of what was sent, for letters that a reader can tell apart.
    Every ten seconds at most the log tells how many there were since the start, and why the last one. `clock` returns epoch milliseconds.
    """

    def __init__(self, producer: AcknowledgedProducer, clock: Callable[[], int]) -> None:
        self._producer = producer
        self._clock = clock
        self._sent = 0
        self._told_ms = 0

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Send all letters of a batch."""
        now = self._clock()
        self._producer.send(
            DEAD_LETTERS,
            (
                (
                    letter.key,
                    letter.value,
                    [
                        ("reason", letter.rejection.reason.encode()),
                        ("path", letter.rejection.path.encode()),
                        ("topic", letter.topic.encode()),
                        ("partition", str(letter.partition).encode()),
                        ("offset", str(letter.offset).encode()),
                        ("received_at", str(now).encode()),
                    ],
                )
                for letter in letters
            ),
        )
        self._sent += len(letters)
        if letters and not 0 <= now - self._told_ms < _TELL_EVERY_MS:
            self._told_ms = now
            last = letters[-1]
            place = f"{last.topic}[{last.partition}] at {last.offset}"
            why = ascii(last.rejection.reason)  # it quotes what came, and a terminal would obey some of that
            log.warning("dead letters since the start: %s; the last: %s: %s", f"{self._sent:,}", place, why)
