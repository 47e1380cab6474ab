"""The publisher in a thread of its own, so that neither DuckDB nor the broker holds up the shards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.inbox import InboxThread
from pipeline.publish.publisher import Publisher
from pipeline.shard.updates import PaneUpdate

_MOST_WAITING = 8
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class _End:
    """The last item: publish all before closing, or only what is open."""

    drain: bool


class PublisherThread:
    """Runs a publisher; `failed` is told of its first error, which the next call raises."""

    def __init__(self, publisher: Publisher, failed: Callable[[Exception], None]) -> None:
        self._publisher = publisher
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
            if self._publisher.due:
                self._publisher.flush()
        self._publisher.close(drain=item.drain)
