"""Predictions with their outcomes as they are before any summary, and the batch of panes made of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.cells import Kind, Names, cell_keys, latency_buckets
from pipeline.metrics import METRIC_NAMES, MetricTable, PaneBatch

Class = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Event:
    """A prediction and what became known of it."""

    prediction: Class | None = None
    label: Class | None = None
    pair: tuple[float, float] | None = None
    latency_ms: float | None = None
    failed: bool = False
    nulls: tuple[tuple[str, bool], ...] = ()
    uncommon_features: bool = False
    variant: str = ""
    converted: bool | None = None
    revenue: float | None = None


@dataclass(frozen=True, slots=True)
class Pane:
    """The predictions of one window, and what is known of the model."""

    events: Sequence[Event] = ()
    elapsed_s: float = 10.0
    length_s: float = 10.0
    task: int = 0
    positive_class: Class | None = None
    classes: tuple[Class, ...] = ()
    rolling: bool = False
    duplicates: int = 0
    late: int = 0


@dataclass(slots=True)
class Ids:
    """Ids as the pipeline gives them: in the order of appearance, a class by its JSON type and value."""

    names: Names = field(default_factory=Names)

    def feature(self, name: str) -> int:
        return _position(self.names.features, name)

    def variant(self, name: str) -> int:
        return _position(self.names.variants, name)

    def class_(self, value: Class) -> int:
        known = [(type(item), item) for item in self.names.classes]
        wanted = int(value) if isinstance(value, bool) else value
        if (type(wanted), wanted) not in known:
            self.names.classes.append(wanted)
            return len(known)
        return known.index((type(wanted), wanted))

    def key_set(self, features: tuple[str, ...]) -> int:
        members = sorted({self.feature(name) for name in features})
        for index, known in enumerate(self.names.key_sets):
            if known.tolist() == members:
                return index
        self.names.key_sets.append(np.array(members, dtype=np.int64))
        return len(self.names.key_sets) - 1


def _position(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def cells_of(pane: Pane, ids: Ids) -> dict[int, float]:
    """Return the cells of a pane, by key."""
    cells: Counter[int] = Counter()

    def add(kind: Kind, value: float = 1, a: int = 0, b: int = 0) -> None:
        key = int(cell_keys(kind, a, b))
        cells[key] = max(cells[key], value) if kind is Kind.LATENCY_MAX else cells[key] + value  # type: ignore[assignment]

    for event in pane.events:
        if event.uncommon_features:
            add(Kind.KEYS)
            for name, _ in event.nulls:
                add(Kind.SENT, a=ids.feature(name))
        else:
            add(Kind.KEYS, a=ids.key_set(tuple(name for name, _ in event.nulls)))
        for name, is_null in event.nulls:
            if is_null:
                add(Kind.NULL, a=ids.feature(name))
        if event.failed:
            add(Kind.ERROR)
        if event.latency_ms is not None:
            add(Kind.LATENCY_SUM, event.latency_ms)
            add(Kind.LATENCY_MAX, event.latency_ms)
        if event.label is not None:
            add(Kind.LABELLED)
        if event.label is not None and event.prediction is not None:
            add(Kind.CONFUSION, a=ids.class_(event.prediction), b=ids.class_(event.label))
        if event.pair is not None:
            error = event.pair[0] - event.pair[1]
            add(Kind.LABELLED)
            add(Kind.ERROR_COUNT)
            add(Kind.ERROR_ABSOLUTE, abs(error))
            add(Kind.ERROR_SQUARED, error**2)
        if event.converted is not None:
            add(Kind.OUTCOME_KNOWN, a=ids.variant(event.variant))
            if event.converted:
                add(Kind.CONVERTED, a=ids.variant(event.variant))
        if event.revenue is not None:
            add(Kind.REVENUE_COUNT)
            add(Kind.REVENUE, event.revenue)
    latencies = np.array([event.latency_ms for event in pane.events if event.latency_ms is not None], dtype=np.float64)
    for key in cell_keys(Kind.LATENCY, latency_buckets(latencies)).tolist():
        cells[key] += 1
    for kind, count in ((Kind.DUPLICATE, pane.duplicates), (Kind.LATE, pane.late)):
        if count:
            add(kind, count)
    return dict(cells)


def batch_of(panes: Sequence[Pane], extra: Sequence[dict[int, float]] = ()) -> PaneBatch:
    """Return the batch of some panes; `extra` has cells to add to each of them."""
    ids = Ids()
    cells = [cells_of(pane, ids) for pane in panes]
    for own, more in zip(cells, extra, strict=False):
        for key, value in more.items():
            own[key] = own.get(key, 0.0) + value
    positive = [-1 if pane.positive_class is None else ids.class_(pane.positive_class) for pane in panes]
    return PaneBatch(
        count=len(panes),
        pane=np.repeat(np.arange(len(panes)), [len(own) for own in cells]),
        key=np.array([key for own in cells for key in sorted(own)], dtype=np.uint64),
        value=np.array([own[key] for own in cells for key in sorted(own)], dtype=np.float64),
        length_s=np.array([pane.length_s for pane in panes], dtype=np.float64),
        elapsed_s=np.array([pane.elapsed_s for pane in panes], dtype=np.float64),
        positive_class=np.array(positive, dtype=np.int64),
        task=np.array([pane.task for pane in panes], dtype=np.int8),
        rolling=np.array([pane.rolling for pane in panes], dtype=np.bool_),
        names=ids.names,
        class_set=np.array([index if pane.classes else -1 for index, pane in enumerate(panes)], dtype=np.int64),
        class_sets=[np.unique(np.array([ids.class_(value) for value in pane.classes], dtype=np.int64)) for pane in panes],
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table; the bounds are None where there is no interval."""

    value: float
    n: int
    low: float | None
    high: float | None


Address = tuple[int, str, str]
"""A pane, a metric and a dimension."""


def rows_of(table: MetricTable) -> dict[Address, Row]:
    """Return the rows of a table by their address; fails if one occurs twice."""
    rows: dict[Address, Row] = {}
    columns = (table.pane, table.metric, table.dimension, table.value, table.n, table.low, table.high)
    for pane, metric, dimension, value, n, low, high in zip(*(column.tolist() for column in columns), strict=True):
        address = (pane, METRIC_NAMES[metric], table.dimensions[dimension])
        assert address not in rows
        rows[address] = Row(value, n, None if math.isnan(low) else low, None if math.isnan(high) else high)
    return rows
