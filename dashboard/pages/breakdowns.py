"""The lists beside the charts: nulls by feature, scores, F1 by class, uplift by variant."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from dashboard.scope import Scope
from dashboard.series import Column, Points
from dashboard.states import Series
from dashboard.store import Store
from dashboard.widgets.specs import VARIANT_SLOTS
from schemas.metrics import LATENCY_INTERVALS

_MOST = 12
_SCORES = {"f1_score": "F1", "precision": "Precision", "recall": "Recall", "accuracy": "Accuracy"}


class Breakdown(msgspec.Struct, frozen=True):
    """One line of a list; `name` came with the data."""

    name: str
    value: float
    low: float | None
    high: float | None


def nulls_by_feature(store: Store, scope: Scope) -> list[Breakdown]:
    """Return the newest hour's null percentage of the features with most nulls."""
    rows = _newest(store, scope, "1h", "input_null_percentage", "feature=")
    return sorted(rows, key=lambda row: (-row.value, row.name))[:_MOST]


def scores(store: Store, scope: Scope) -> list[Breakdown] | None:
    """Return the newest seven days' scores of a classifier; None for another model."""
    rows = []
    for metric, name in _SCORES.items():
        points = store.detail(scope, "7d", "", metric)
        if len(points):
            rows.append(_row(name, points))
    return rows or None


def by_class(store: Store, scope: Scope) -> list[Breakdown] | None:
    """Return the newest F1 by class, weakest first; None for a model that has none (binary)."""
    rows = _newest(store, scope, "7d", "f1_score", "class=")
    return sorted(rows, key=lambda row: (row.value, row.name))[:_MOST] or None


def uplifts(store: Store, scope: Scope) -> list[Breakdown]:
    """Return the newest seven days' uplift of each variant."""
    return sorted(_newest(store, scope, "7d", "conversion_rate_uplift", "variant="), key=lambda row: row.name)[:_MOST]


def variants_of(store: Store, scope: Scope) -> list[str]:
    """Return the variants that charts show, control first; `""` stands for all together when there is no experiment."""
    columns = {*store.columns(scope, "1h"), *store.columns(scope, "7d")}
    names = sorted({dimension.removeprefix("variant=") for dimension, metric in columns if metric == "conversion_rate" and dimension})
    if not names:
        return [""] if ("", "conversion_rate") in columns else []
    # The slot of control stays free when there is none, so that no other variant takes its place.
    return (["control"] + [name for name in names if name != "control"])[:VARIANT_SLOTS]


def features_of(store: Store, scope: Scope, columns: Iterable[Column]) -> list[str]:
    """Return the names of the features, those with the most nulls in the hours that are kept first."""
    ranked = []
    for dimension, metric in columns:
        if metric == "input_null_percentage" and dimension.startswith("feature=") and dimension != "feature=":
            points = store.detail(scope, "1h", dimension, metric)
            total = float(points.n.sum())
            ranked.append((-float((points.value * points.n).sum()) / total if total else 0.0, dimension.removeprefix("feature=")))
    return [name for _, name in sorted(ranked)]


def intervals_of(columns: Iterable[Column]) -> list[str]:
    """Return the intervals of latency from the slowest that has been seen to the fastest, with all between."""
    prefix = "response_time_ms="
    seen = {dimension.removeprefix(prefix) for dimension, metric in columns if metric == "latency_histogram"}
    places = [place for place, interval in enumerate(LATENCY_INTERVALS) if interval in seen]
    return list(reversed(LATENCY_INTERVALS[places[0] : places[-1] + 1])) if places else []


def features_in(series: Series) -> set[str]:
    """Return the names of the features in a model's series of the fleet."""
    return {dimension.removeprefix("feature=") for _, dimension, _ in series if dimension.startswith("feature=")} - {""}


def _newest(store: Store, scope: Scope, window: str, metric: str, prefix: str) -> list[Breakdown]:
    found: list[tuple[str, Points]] = []
    for dimension, name in store.columns(scope, window):
        if name == metric and dimension.startswith(prefix):
            found.append((dimension.removeprefix(prefix), store.detail(scope, window, dimension, metric)))
    newest = max((int(points.times[-1]) for _, points in found if len(points)), default=0)
    return [_row(name, points) for name, points in found if len(points) and points.times[-1] == newest]


def _row(name: str, points: Points) -> Breakdown:
    low, high = float(points.low[-1]), float(points.high[-1])
    known = not (math.isnan(low) or math.isnan(high))
    return Breakdown(name, float(points.value[-1]), low if known else None, high if known else None)
