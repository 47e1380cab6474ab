"""Grouping of columns by pane and by an id within the pane, without a loop over either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints

_SMALL = 1 << 16


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
    """Return the sum of `value` for each distinct (pane, id); both >= 0, in any order, fastest when ordered."""
    if not pane.size:
        return Groups(pane, ids, value, pane)
    pairs = pane * (1 + int(ids.max())) + ids
    if (pairs[1:] >= pairs[:-1]).all():
        first, member = _runs(pairs)
    else:
        by_id = stable_order(ids)
        order = by_id[stable_order(pane[by_id])]
        first, in_order = _runs(pairs[order])
        member = np.empty_like(in_order)
        member[order] = in_order
        first = order[first]
    return Groups(pane[first], ids[first], sum_by(member, value, first.size), member)


def _runs(pairs: Ints) -> tuple[Ints, Ints]:
    """Return where, in ascending `pairs`, each distinct one begins, and which of them each is."""
    starts = np.append(True, pairs[1:] != pairs[:-1])
    return np.flatnonzero(starts), np.cumsum(starts) - 1
