"""The publisher in a thread of its own, so that neither DuckDB nor the broker holds up the shards.

A few updates may wait for it; when more do, the dataflow waits, and so in the end does the source.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from pipeline.publish.publisher import Publisher
from pipeline.shard.updates import PaneUpdate

_MOST_WAITING = 8
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class _End:
    """The last item: publish all before closing, or only what is open."""

    drain: bool


class PublisherThread:
    """Runs a publisher. Its first error is told to `failed`, and raised by the next call."""

    def __init__(self, publisher: Publisher, failed: Callable[[Exception], None]) -> None:
        self._publisher = publisher
        self._failed = failed
        self._waiting: queue.Queue[PaneUpdate | _End] = queue.Queue(_MOST_WAITING)
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def take(self, update: PaneUpdate) -> None:
        """Hand over an update; waits while too many wait already."""
        self._put(update)

    def check(self) -> None:
        """Raise what the publisher has raised."""
        if self._error is not None:
            raise self._error

    def close(self, *, drain: bool) -> None:
        """Publish what waits (all of it with `drain`), close the publisher, and wait for the thread."""
        self._put(_End(drain))
        self._thread.join()
        self.check()

    def _put(self, item: PaneUpdate | _End) -> None:
        while True:
            self.check()
            try:
                return self._waiting.put(item, timeout=0.5)
            except queue.Full:
                continue

    def _run(self) -> None:
        try:
            while True:
                try:
                    item = self._waiting.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    item = None
                if isinstance(item, _End):
                    return self._publisher.close(drain=item.drain)
                if item is not None:
                    self._publisher.take(item)
                if self._publisher.due:
                    self._publisher.flush()
        except Exception as error:
            self._error = error
            self._failed(error)
