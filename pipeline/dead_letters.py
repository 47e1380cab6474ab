"""Bad messages go to `tower.dead-letters` as they were received, with headers that say why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.intake import DeadLetter
from pipeline.publish.topic import AcknowledgedProducer
from schemas.topics import DEAD_LETTERS


class DeadLetterOffice:
    """Sends dead letters, and waits until Kafka has them: only then may the shards pass over their offsets.

    After a crash the letters since the last commit are sent again, with the same `topic`, `partition` and `offset`.
    """

    def __init__(self, producer: AcknowledgedProducer, clock: Callable[[], int]) -> None:
        self._producer = producer
        self._clock = clock

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Send all letters of a batch."""
        received_at = str(self._clock())
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
                        ("received_at", received_at.encode()),
                    ],
                )
                for letter in letters
            ),
        )
