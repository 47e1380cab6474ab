"""A thread with an inbox, for what must not hold up the dataflow: a few items may wait; when more do, whoever hands them over waits."""

from __future__ import annotations

import queue
from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
_LOOK_EVERY_S = 0.5


class InboxThread(Generic[Item]):
    """Runs `work`, which is given `next_item`; its first error is told to `failed`, and raised by the next call of `put` or `check`."""

    def __init__(self, name: str, most_waiting: int, work: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        self._work = work
        self._failed = failed
        self._waiting: queue.Queue[Item] = queue.Queue(most_waiting)
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item."""
        while True:
            self.check()
            try:
                return self._waiting.put(item, timeout=_LOOK_EVERY_S)
            except queue.Full:
                continue

    def next_item(self, within_s: float) -> Item | None:
        """For `work`: return the next item, or None when none comes in time."""
        try:
            return self._waiting.get(timeout=max(within_s, 0.0001))
        except queue.Empty:
            return None

    def check(self) -> None:
        """Raise what `work` has raised."""
        if self._error is not None:
            raise self._error

    def join(self) -> None:
        """Wait for the end of `work`; raise what it has raised."""
        self._thread.join()
        self.check()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self._error = error
            self._failed(error)
