"""Which prediction ids a shard may have seen: most ids are new, and need no look at the disk to know it.

A Bloom filter (Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970) says "never seen" for certain and
"perhaps seen" otherwise; the store decides then. It grows by generations, each as large as all before that are still kept, and one is
dropped when all its ids have expired: a few bytes an id that is still kept, and no more however long it runs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.columns import Bools, Hashes

_BITS_PER_ID = 12
_PROBES = 4
"""With 12 bits an id, 4 probes err once in 150."""
FIRST_CAPACITY = 1 << 20


class _Generation:
    """A filter for `capacity` ids; `expires_at` is the latest event time at which one of them is still needed."""

    def __init__(self, capacity: int) -> None:
        self._mask = np.uint64((1 << (capacity * _BITS_PER_ID - 1).bit_length()) - 1)
        self._bits: npt.NDArray[np.uint8] = np.zeros((int(self._mask) + 1) // 8, dtype=np.uint8)
        self.capacity = capacity
        self.count = 0
        self.expires_at = -(2**62)

    def may_hold(self, hashes: Hashes) -> Bools:
        result = np.ones(len(hashes), dtype=bool)
        left = np.arange(len(hashes))
        for probe in range(_PROBES):
            byte, bit = self._place(hashes[left], probe)
            hit = (self._bits[byte] & bit) != 0
            result[left[~hit]] = False
            left = left[hit]
        return result

    def add(self, hashes: Hashes, expires_at: int) -> None:
        for probe in range(_PROBES):
            byte, bit = self._place(hashes, probe)
            np.bitwise_or.at(self._bits, byte, bit)
        self.count += len(hashes)
        self.expires_at = max(self.expires_at, expires_at)

    def _place(self, hashes: Hashes, probe: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        # Double hashing (Kirsch, Mitzenmacher, 2006); the halves of the 128-bit hash are independent.
        position = (hashes[:, 0] + np.uint64(probe) * (hashes[:, 1] | np.uint64(1))) & self._mask
        return (position >> np.uint64(3)).astype(np.int64), (np.uint8(1) << (position & np.uint64(7)).astype(np.uint8)).astype(np.uint8)


class SeenIds:
    """The ids of a shard's records, approximately, and never too few."""

    def __init__(self, first_capacity: int = FIRST_CAPACITY) -> None:
        self._first_capacity = first_capacity
        self._generations = [_Generation(first_capacity)]

    def may_hold(self, hashes: Hashes) -> Bools:
        """Return for each id whether it may have been added; false is certain."""
        result = np.zeros(len(hashes), dtype=bool)
        for generation in self._generations:
            if generation.count:
                result |= generation.may_hold(hashes)
        return result

    def add(self, hashes: Hashes, expires_at: int) -> None:
        """Add ids that are needed until event time `expires_at` at the latest."""
        newest = self._generations[-1]
        if newest.count + len(hashes) > newest.capacity:
            kept = sum(generation.count for generation in self._generations)
            self._generations.append(_Generation(max(self._first_capacity, kept, len(hashes))))
        self._generations[-1].add(hashes, expires_at)

    def forget(self, now: int) -> None:
        """Drop the generations all of whose ids have expired at event time `now`; the newest stays."""
        self._generations = [one for one in self._generations[:-1] if one.expires_at >= now] + self._generations[-1:]
