"""The confusion matrix of a stretch of time, from the counts of its hours."""

from __future__ import annotations

import math

import msgspec

from dashboard.scope import Scope
from dashboard.store import Store

_PREFIX = "predicted_actual="
HOUR_MS = 3_600_000
MOST = 12
"""Classes that a matrix shows: those that occur most."""


class Matrix(msgspec.Struct, frozen=True):
    """`counts[i][j]`: labelled predictions of actual class i that were predicted as class j. `start` and `end` (ms) are whole hours.

    `labelled` are all labelled predictions of these hours; the counts may be fewer, since hours with too many pairs have none, and rare
    classes are left out.
    """

    start: int
    end: int
    classes: list[str]
    counts: list[list[float]]
    labelled: float


def matrix(store: Store, scope: Scope, start: int, end: int) -> Matrix | None:
    """Return the matrix of the hours that the time from `start` to `end` (ms) touches; None where nothing is classified."""
    start, end = start // HOUR_MS * HOUR_MS, -(-end // HOUR_MS) * HOUR_MS
    totals = store.totals(scope, "1h", "confusion", start, end)
    accuracy = store.detail(scope, "1h", "", "accuracy")
    if not len(accuracy):
        return None
    pairs: dict[tuple[str, str], float] = {}
    occurring: dict[str, float] = {}
    for dimension, total in totals.items():
        try:
            predicted, actual = msgspec.json.decode(dimension.removeprefix(_PREFIX), type=tuple[str | int | float, str | int | float])
        except msgspec.DecodeError:
            continue
        pair = _text(predicted), _text(actual)
        pairs[pair] = pairs.get(pair, 0.0) + total
        for name in pair:
            occurring[name] = occurring.get(name, 0.0) + total
    classes = sorted(sorted(occurring, key=lambda name: -occurring[name])[:MOST], key=_place)
    counts = [[pairs.get((predicted, actual), 0.0) for predicted in classes] for actual in classes]
    within = (accuracy.times >= start) & (accuracy.times < end)
    return Matrix(start, end, classes, counts, float(accuracy.n[within].sum()))


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else repr(value)


def _place(name: str) -> tuple[bool, float, str]:
    """Numbers in their order, then names."""
    try:
        value = float(name)
    except ValueError:
        value = math.nan
    return (False, value, name) if math.isfinite(value) else (True, 0.0, name)
