"""What is said while Kafka is away: one line now and then, though each partition's client reports each of its attempts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from confluent_kafka import KafkaError

log = logging.getLogger("tower.pipeline")
_EVERY_S = 10.0
_STALE_S = 2.0
"""So long after Kafka has answered, a partition's client may still report what was."""


class OutageLog:
    """Logs errors that pass by themselves, at most one in ten seconds of an outage, and that Kafka answers again; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_s = float("-inf")
        self._told = False
        self._away_since_s: float | None = None

    def note(self, error: KafkaError) -> None:
        """Take note of an error."""
        now = self._clock()
        if self._away_since_s is None:
            self._away_since_s = now
        lasts = not self._told and now - self._away_since_s >= _STALE_S
        if lasts or now - self._told_s >= _EVERY_S:
            self._told_s, self._told = now, True
            log.warning("Kafka does not answer (%s); waiting for it", error.str())

    def heard(self) -> None:
        """Take note that Kafka has answered: one partition hears it while another's client still reports what was."""
        if self._away_since_s is not None:
            if self._told:
                log.info("Kafka answers again, after %.1f s", self._clock() - self._away_since_s)
            self._away_since_s, self._told = None, False
