"""The publisher in a thread of its own, so that neither DuckDB nor the broker holds up the shards."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.inbox import InboxThread
from pipeline.publish.health import HealthFile
from pipeline.publish.publisher import Publisher
from pipeline.shard.updates import PaneUpdate

_MOST_WAITING = 8
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class _End:
    """The last item: publish all before closing, or only what is open."""

    drain: bool


class PublisherThread:
    """Runs a publisher, and has `health` say how things are; `failed` is told of the first error, which the next call raises."""

    def __init__(self, publisher: Publisher, health: HealthFile, failed: Callable[[Exception], None]) -> None:
        self._publisher = publisher
        self._health = health
        self._inbox: InboxThread[PaneUpdate | _End] = InboxThread("publisher", _MOST_WAITING, self._work, failed)
        self._inbox.start()

    def take(self, update: PaneUpdate) -> None:
        """Hand over an update; waits while too many wait already."""
        self._inbox.put(update)

    def check(self) -> None:
        """Raise what the publisher has raised."""
        self._inbox.check()

    def close(self, *, drain: bool) -> None:
        """Publish what waits (all of it with `drain`), close the publisher, and wait for the thread."""
        self._inbox.put(_End(drain))
        self._inbox.join()

    def _work(self) -> None:
        while not isinstance(item := self._inbox.next_item(_LOOK_EVERY_S), _End):
            if item is not None:
                self._publisher.take(item)
                self._health.note(item)
            if self._publisher.due:
                started = time.monotonic()
                self._publisher.flush()
                self._health.published(time.monotonic() - started)
            self._health.write_if_due()
        self._publisher.close(drain=item.drain)
