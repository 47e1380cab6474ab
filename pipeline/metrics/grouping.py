"""Grouping of columns by pane and by an id within the pane, without a loop over either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints

_SMALL = 1 << 16
_TABLE_PER_VALUE = 4


def stable_order(ids: Ints) -> npt.NDArray[np.intp]:
    """Return the order that sorts `ids` (all >= 0) and keeps equal ones as they are.

    NumPy sorts 16-bit integers by radix, several times faster than wider ones.
    """
    narrow = ids.astype(np.uint16) if ids.size and int(ids.max()) < _SMALL else ids
    return np.argsort(narrow, kind="stable")


def sum_by(index: Ints, value: Floats, size: int) -> Floats:
    """Return `size` sums: of `value` by `index`. Values are added in their order, so a sum depends on its own values alone."""
    # Without values NumPy counts in integers, whatever the weights.
    return np.bincount(index, weights=value, minlength=size).astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True)
class Groups:
    """Distinct pairs (pane, id), ascending, each with its sum.

    `member` says, for each of the values that were grouped, which pair it went to.
    """

    pane: Ints
    id: Ints
    total: Floats
    member: Ints

    def gather(self, pane: Ints, ids: Ints) -> Floats:
        """Return the total of each pair (pane, id), 0 where there is none."""
        if not self.pane.size or not pane.size:
            return np.zeros(pane.size)
        width = 1 + max(int(self.id.max()), int(ids.max()))
        keys = self.pane * width + self.id
        wanted = pane * width + ids
        at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        return np.where(keys[at] == wanted, self.total[at], 0.0)


def group_sums(pane: Ints, ids: Ints, value: Floats) -> Groups:
    """Return the sum of `value` for each distinct (pane, id); both >= 0, in any order."""
    if not pane.size:
        return Groups(pane, ids, value, pane)
    width = 1 + int(ids.max())
    pairs = pane * width + ids
    distinct, member = _distinct(pairs, width * (1 + int(pane.max())))
    return Groups(distinct // width, distinct % width, sum_by(member, value, distinct.size), member)


def _distinct(pairs: Ints, bound: int) -> tuple[Ints, Ints]:
    """Return the distinct `pairs`, all below `bound`, in ascending order, and which of them each is."""
    if bound <= _TABLE_PER_VALUE * pairs.size:
        # A table of all possible pairs is several times faster than sorting, where most of them occur.
        occurs = np.zeros(bound, dtype=np.bool_)
        occurs[pairs] = True
        place = np.cumsum(occurs) - 1
        return np.flatnonzero(occurs), place[pairs]
    order = np.argsort(pairs, kind="stable")
    ordered = pairs[order]
    starts = np.append(True, ordered[1:] != ordered[:-1])
    member = np.empty_like(order)
    member[order] = np.cumsum(starts) - 1
    return ordered[starts], member


def spread(which: Ints, sets: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Return (position in `which`, member) for each member of the set that each entry of `which` is the index of."""
    used, place = np.unique(which, return_inverse=True)
    members = [sets[index] for index in used.tolist()]
    sizes = np.array([member.size for member in members], dtype=np.int64)
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *members])
    starts = np.cumsum(sizes) - sizes
    repeats = sizes[place]
    position = np.repeat(np.arange(which.size), repeats)
    within = np.arange(position.size) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return position, flat[starts[place[position]] + within]
