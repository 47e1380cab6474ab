"""Credit-based flow control: a source reads only what the shards have room for.

Bytewax bounds what is in flight by its epochs: a full inbox would hold up a worker's whole loop, and a worker that waits for the epoch of
another one spins. With credit no shard makes the dataflow wait, and epochs are not needed.
"""

from __future__ import annotations

from ctypes import c_int64
from multiprocessing.sharedctypes import RawArray

_MOST_WAITING = 12
"""In the inbox of a shard, shared by the workers."""
_LEAST_EACH = 3
"""With less a worker would sleep after each delivery until the slowest shard has taken it."""


class Credit:
    """How many deliveries of each worker every shard has taken; all members of a cluster share it.

    Passed to a process as it is spawned. A number has one writer, the shard's thread, and 8 aligned bytes are never read in halves.
    """

    def __init__(self, workers: int, shards: int) -> None:
        self._shards = shards
        self._each = max(_MOST_WAITING // workers, _LEAST_EACH)
        self.in_all = workers * self._each
        """The deliveries that an inbox must have room for."""
        self._taken = RawArray(c_int64, workers * shards)

    def take(self, worker: int, shard: int) -> None:
        """Note that a shard has taken a delivery out of its inbox."""
        self._taken[worker * self._shards + shard] += 1

    def has_room(self, worker: int, sent: int) -> bool:
        """Say whether a worker that has sent so many deliveries to each shard may send one more."""
        first = worker * self._shards
        return bool(sent - min(self._taken[first : first + self._shards]) < self._each)
