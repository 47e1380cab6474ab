"""A shard in a thread of its own: RocksDB works without Python's lock, so a commit goes on while the next batches are decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from pipeline.columns import Delivery, unpack
from pipeline.inbox import InboxThread
from pipeline.reading.credit import Credit
from pipeline.shard.shard import Shard
from pipeline.shard.updates import PaneUpdate

_LONGEST_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class _End:
    """The last item; in a hurry, what is due to expire is left to the next start."""

    hurry: bool


class ShardThread:
    """Runs a shard. Its inbox has room for what `credit` gives, which is told of what the shard takes.

    `clock` returns milliseconds that only grow; `failed` is told of the first error, which the next call raises.
    """

    def __init__(self, shard: Shard, credit: Credit, clock: Callable[[], int], failed: Callable[[Exception], None]) -> None:
        self._credit = credit
        self._shard = shard
        self._clock = clock
        self._first = shard.unpublished()
        self._done: deque[PaneUpdate] = deque()
        self._inbox: InboxThread[Delivery | _End] = InboxThread(f"shard-{shard.number}", credit.in_all, self._work, failed)
        self._inbox.start()

    def take(self, delivery: Delivery) -> None:
        """Hand over what has come for the shard; there is room, as the credit says."""
        self._inbox.put(delivery)

    def updates(self) -> list[PaneUpdate]:
        """Return what has been committed since the last call.

        Before that comes, one update a call, what the publisher may not have from earlier runs.
        """
        self._inbox.check()
        first = next(self._first, None)
        return [first] if first is not None else [self._done.popleft() for _ in range(len(self._done))]

    def close(self, *, hurry: bool = False) -> list[PaneUpdate]:
        """Commit what waits, let go of the shard, and return the last updates.

        In a hurry these are none, where what comes before them is not told to its end: the next start begins with that again.
        """
        earlier = [*islice(self._first, 1 if hurry else None)]
        self._inbox.put(_End(hurry))
        self._inbox.join()
        return [] if earlier and earlier[-1].more else [*earlier, *self.updates()]

    def _work(self) -> None:
        while not isinstance(item := self._inbox.next_item(self._wait_s()), _End):
            if item is not None:
                self._credit.take(item.worker, self._shard.number)
                for part in unpack(item.packed):
                    self._shard.take(part)
            if self._shard.due:
                self._commit()
        while self._commit() and not item.hurry:
            pass  # more may be due to expire than one commit takes
        self._shard.close()

    def _wait_s(self) -> float:
        due_at = self._shard.due_at_ms
        return _LONGEST_WAIT_S if due_at is None else (due_at - self._clock()) / 1000

    def _commit(self) -> bool:
        update = self._shard.commit()
        if update is not None:
            self._done.append(update)
        return update is not None
