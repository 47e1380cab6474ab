"""Why a run of the dataflow ends: it is told to, or the topics have got more partitions than it reads."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread
from types import FrameType
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.reading.pace import Position
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import OUTCOMES, PREDICTIONS

log = logging.getLogger("tower.pipeline")
_LOOK_EVERY_S = 5.0
_ATTEMPT_S = 2.0


class Ending:
    """Ends the run under way: `flag` is what its parts look at, `told` says that no other run is to follow."""

    def __init__(self) -> None:
        self.flag = Flag()
        self.told = False

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT end the run: Bytewax would end without closing anything."""

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self.told = True
            # In a thread: the main thread may be inside the flag's own lock at this moment.
            Thread(target=self.flag.set, daemon=True).start()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def by_new_partitions(self, kafka: KafkaSettings, known: Callable[[], Collection[Position]]) -> Iterator[None]:
        """End the run in the block when a partition beyond those `known` appears: its source cannot take one in, the next run's does.

        An error of looking for them ends the run too, and is raised at the end of the block.
        """
        left, flag = Flag(), self.flag
        failures: list[Exception] = []

        def watch() -> None:
            try:
                config: dict[str, Any] = {**admin_config(kafka), "logger": log}
                admin = AdminClient(config)
                new: list[Position] = []
                while not new and not left.wait(_LOOK_EVERY_S):
                    new = sorted(_partitions(admin) - set(known()))
                if new and not left.is_set():
                    names = ", ".join(f"{topic}/{number}" for topic, number in new)
                    log.info("new partitions (%s): starting again to read them too", names)
                    flag.set()
            except Exception as error:
                failures.append(error)
                flag.set()

        Thread(target=watch, name="partition-watch", daemon=True).start()
        try:
            yield
        finally:
            left.set()  # and nobody waits for it: Kafka may be silent, and a stop is urgent
        if failures:
            raise failures[0]

    def again(self) -> bool:
        """After a run: say whether it ended only to be started anew, and make ready for that."""
        if self.told or not self.flag.is_set():
            return False
        self.flag = Flag()
        if self.told:  # looked at last: a signal may have set the old one
            self.flag.set()
        return not self.told


def _partitions(admin: AdminClient) -> set[Position]:
    """Return all partitions of the event topics; none while Kafka does not answer, which others report."""
    try:
        topics = admin.list_topics(timeout=_ATTEMPT_S).topics
    except KafkaException:
        return set()
    return {(name, number) for name in (PREDICTIONS, OUTCOMES) if name in topics for number in topics[name].partitions}
