"""Rows of one metric as columns, and the table that they are put together into."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints, Names
from pipeline.metrics.grouping import stable_order
from pipeline.metrics.naming import class_name, pair_name
from pipeline.metrics.table import MetricTable
from schemas.metrics import LATENCY_INTERVALS, METRICS

METRIC_NAMES: tuple[str, ...] = tuple(METRICS)
"""What `MetricTable.metric` indexes."""


class Scope(enum.Enum):
    """What a row's dimension names: nothing, one of the kinds of `Names`, or one of `LATENCY_INTERVALS`."""

    WHOLE = ""
    FEATURE = "feature="
    CLASS = "class="
    VARIANT = "variant="
    PAIR = "predicted_actual="
    INTERVAL = "response_time_ms="


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one metric, ordered by pane; all columns have one length.

    `name` holds ids of `Names` as `scope` says, and is empty for `Scope.WHOLE`; that of a pair of classes is the predicted one's times
    the number of classes, and the actual one's. `bounds` are `low` and `high`, or None where no interval is defined.
    """

    metric: str
    pane: Ints
    value: Floats
    n: Floats
    bounds: tuple[Floats, Floats] | None = None
    scope: Scope = Scope.WHOLE
    name: Ints | None = None

    def where(self, mask: npt.NDArray[np.bool_]) -> Rows:
        """Return the rows for which `mask` holds."""
        bounds = None if self.bounds is None else (self.bounds[0][mask], self.bounds[1][mask])
        name = None if self.name is None else self.name[mask]
        return Rows(self.metric, self.pane[mask], self.value[mask], self.n[mask], bounds, self.scope, name)

    def renamed(self, metric: str) -> Rows:
        """Return the same rows under another metric's name."""
        return Rows(metric, self.pane, self.value, self.n, self.bounds, self.scope, self.name)


def assemble(blocks: Sequence[Rows], names: Names) -> MetricTable:
    """Return all rows as one table, grouped by pane, and within it in the order of `blocks`.

    Without those whose value float64 (and so JSON) does not hold, such as a sum of squares that overflowed.
    """
    sizes = [block.pane.size for block in blocks]
    total = sum(sizes)
    dimensions, dimension = _dimensions(blocks, names, total)
    low, high = np.full(total, np.nan), np.full(total, np.nan)
    start = 0
    for block, size in zip(blocks, sizes, strict=True):
        if block.bounds is not None:
            low[start : start + size], high[start : start + size] = block.bounds
        start += size
    pane = np.concatenate([np.zeros(0, dtype=np.int64), *(block.pane for block in blocks)])
    metric = np.repeat(np.array([METRIC_NAMES.index(block.metric) for block in blocks], dtype=np.int64), sizes)
    value = np.concatenate([np.zeros(0), *(block.value for block in blocks)])
    order = stable_order(pane)
    finite = np.isfinite(value)
    if not finite.all():
        order = order[finite[order]]
    n = np.concatenate([np.zeros(0), *(block.n for block in blocks)]).astype(np.int64)
    columns = (pane[order], metric[order], dimension[order], value[order], n[order], low[order], high[order])
    return MetricTable(*columns, dimensions=dimensions)


def _dimensions(blocks: Sequence[Rows], names: Names, total: int) -> tuple[list[str], Ints]:
    """Return the texts of the dimensions that occur, `""` first, and the index of each row's."""
    texts = [""]
    dimension = np.zeros(total, dtype=np.int64)
    for scope in list(Scope)[1:]:
        named = [block.name for block in blocks if block.scope is scope and block.name is not None]
        occurring, place = _occurring(scope, np.concatenate([np.zeros(0, dtype=np.int64), *named]), names)
        place += len(texts)
        texts += [scope.value + _name(scope, index, names) for index in occurring.tolist()]
        start = taken = 0
        for block in blocks:
            if block.scope is scope and block.name is not None:
                dimension[start : start + block.pane.size] = place[taken : taken + block.pane.size]
                taken += block.pane.size
            start += block.pane.size
    return texts, dimension


def _occurring(scope: Scope, ids: Ints, names: Names) -> tuple[Ints, Ints]:
    """Return the distinct ids, ascending, and the place of each among them."""
    if scope is Scope.PAIR:
        # All possible pairs are too many for a table; those that occur are few.
        return np.unique(ids, return_inverse=True)
    used = np.zeros(_name_count(scope, names), dtype=np.bool_)
    used[ids] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[ids]


def _name_count(scope: Scope, names: Names) -> int:
    if scope is Scope.FEATURE:
        return len(names.features)
    if scope is Scope.INTERVAL:
        return len(LATENCY_INTERVALS)
    return len(names.classes) if scope is Scope.CLASS else len(names.variants)


def _name(scope: Scope, index: int, names: Names) -> str:
    if scope is Scope.FEATURE:
        return names.features[index]
    if scope is Scope.INTERVAL:
        return LATENCY_INTERVALS[index]
    if scope is Scope.PAIR:
        predicted, actual = divmod(index, len(names.classes))
        return pair_name(names.classes[predicted], names.classes[actual])
    return class_name(names.classes[index]) if scope is Scope.CLASS else names.variants[index]
