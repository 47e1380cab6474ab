"""The tiles of the fleet page: for each model and category what its number is, how it is, and since when.

Made once for all viewers, from the store's series, whenever a model has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from dashboard import states
from dashboard.beside import beside
from dashboard.change import ROLLING_METRICS, change
from dashboard.format import number, style_of
from dashboard.names import NAMES
from dashboard.series import NO_POINTS, Points
from dashboard.states import Finding, Series, State
from dashboard.store import Store
from schemas.metrics import WINDOW_LENGTH_MS, Category

SPARK_POINTS = 60
_LABELS: dict[str, str] = {**NAMES, "conversion_rate_uplift": "Uplift, 7 days", "revenue": "Revenue, this hour"}
_NOTHING: dict[Category, str] = {
    Category.PERFORMANCE: "No labels yet",
    Category.OPERATIONAL: "No predictions yet",
    Category.DATA_QUALITY: "No features sent",
    Category.BUSINESS: "No conversions or revenue reported",
}
_GRADES = {0: State.OK, 1: State.WARNING, 2: State.CRITICAL}


@dataclass(frozen=True, slots=True)
class Tile:
    """What a tile shows; times in epoch ms, 0 when unknown; `span_ms` is what the sparkline covers.

    Texts may hold names that came with the data: show them as text.
    """

    model: str
    category: str
    state: str
    label: str
    number: str
    unit: str
    note: str
    since: int
    open_start: bool
    spark: tuple[float, ...]
    newest: int
    span_ms: int = 0
    change: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """The limits of one number of a model."""

    metric: str
    dimension: str
    limits: states.Limits


class Board:
    """The newest tiles; `refresh` is for the ingestion thread, `tiles` for all."""

    def __init__(self, store: Store, *, stale_after_ms: int, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._stale_after_ms = stale_after_ms
        self._now_ms = now_ms
        self._seen: dict[str, tuple[int, bool]] = {}
        self._gaps: dict[str, float] = {}
        self._tiles: dict[str, dict[Category, Tile]] = {}
        self._texts: dict[str, dict[Category, str]] = {}
        self._limits: dict[str, list[Limit]] = {}

    def tiles(self) -> list[Tile]:
        """Return all tiles, by model and category."""
        return [tile for of_model in list(self._tiles.values()) for tile in of_model.values()]

    def texts(self) -> Iterator[tuple[str, Category, str]]:
        """Yield (model, category, tile as JSON), which is written once for all viewers; one that is as it was is the same object."""
        for model, texts in list(self._texts.items()):
            for category, text in texts.items():
                yield model, category, text

    def texts_of(self, model: str) -> list[str]:
        """Return the tiles of one model as JSON, in the order of the categories."""
        return list(self._texts.get(model, {}).values())

    def limits(self, model: str) -> list[Limit]:
        """Return the limits that the rules judge a model's numbers by now."""
        return self._limits.get(model, [])

    def refresh(self) -> None:
        """Judge again each model that has changed, or has become stale."""
        now = self._now_ms()
        for model, (newest, changed) in self._store.models().items():
            stale = bool(newest) and now - newest > max(self._stale_after_ms, 3 * self._gaps.get(model, 0.0))
            if self._seen.get(model) == (changed, stale):
                continue
            self._seen[model] = (changed, stale)
            series = self._store.fleet(model)
            self._gaps[model] = states.usual_gap_ms(series)
            limits: list[Limit] = []
            earlier = self._tiles.get(model, {})
            tiles: dict[Category, Tile] = {}
            for category in Category:
                found = states.findings(category, series)
                limits += [Limit(each.metric, each.dimension, each.limits) for each in found if each.limits is not states.NO_LIMITS]
                tile = make_tile(model, category, series, found, newest, stale=stale)
                tiles[category] = _remember(earlier.get(category), tile)
            texts = self._texts.get(model, {})
            # Replaced whole, since pages read them meanwhile.
            self._texts[model] = {
                category: texts[category] if tile == earlier.get(category) else msgspec.json.encode(tile).decode()
                for category, tile in tiles.items()
            }
            self._tiles[model], self._limits[model] = tiles, limits


def _remember(earlier: Tile | None, tile: Tile) -> Tile:
    """Keep an earlier start of the same state, which the series no longer reach back to."""
    if earlier is not None and earlier.state == tile.state and tile.open_start and 0 < earlier.since <= tile.since:
        return replace(tile, since=earlier.since, open_start=earlier.open_start)
    return tile


def make_tile(model: str, category: Category, series: Series, found: Sequence[Finding], newest: int, *, stale: bool) -> Tile:
    """Return the tile of one model and category; its number is the worst that the rules found, or else the headline."""
    metric, dimension, points = _headline(category, series)
    label = "RMSE, rolling 7 days" if metric == "rmse" else _LABELS.get(metric, metric)
    worst = max(found, key=lambda finding: finding.grade, default=None)
    if worst is not None and (worst.grade or not len(points)):
        metric, dimension, label = worst.metric, worst.dimension, _LABELS[worst.metric]
        # The windows that were judged: seven days together may still look well.
        points = states.judged_window(series, metric, dimension)
        points = points if len(points) else _series_to_show(series, metric, dimension)
    if not len(points):
        return Tile(model, category, State.NO_DATA, _NOTHING[category], "\u2013", "", "", 0, False, (), newest)
    text = number(float(points.value[-1]), style_of(metric))
    label += f" \u00b7 {dimension.partition('=')[2]}" if dimension else ""
    span = int(points.times[-1] - points.times[-SPARK_POINTS:][0])
    spark = tuple(float(f"{value:.6g}") for value in points.value[-SPARK_POINTS:])
    tile = Tile(model, category, State.OK, label, text.number, text.unit, _note(worst, metric, points), 0, True, spark, newest, span)
    tile = replace(tile, beside=beside(category, series, metric, dimension))
    if not (worst is not None and worst.grade):  # a number that is bad says how far it is from what is usual
        tile = replace(tile, change=change(series, metric, dimension))
    if stale:
        return replace(tile, state=State.STALE, since=newest, open_start=False)
    if worst is None:
        return replace(tile, note="Too few events to judge")
    return replace(tile, state=_GRADES[worst.grade], since=worst.since_ms, open_start=worst.open_start)


def _note(finding: Finding | None, metric: str, points: Points) -> str:
    """Say why, and what is usual; for a healthy number its interval."""
    if finding is not None and finding.grade:
        usual = "\u202f".join(part for part in number(finding.usual, style_of(metric)) if part)
        return finding.reason + ("" if np.isnan(finding.usual) else f"; usually {usual}")
    low, high = float(points.low[-1]), float(points.high[-1])
    if np.isnan(low) or np.isnan(high):
        return ""
    first, last = number(low, style_of(metric)), number(high, style_of(metric))
    return f"95 %: {first.number} to {last.number} {last.unit}".rstrip()


def _headline(category: Category, series: Series) -> tuple[str, str, Points]:
    candidates: dict[Category, tuple[str, ...]] = {
        Category.PERFORMANCE: ("f1_score_rolling_7d", "rmse"),
        Category.OPERATIONAL: ("latency_p99_ms", "throughput_per_s"),
        Category.DATA_QUALITY: ("input_null_percentage",),
        Category.BUSINESS: ("conversion_rate_uplift", "conversion_rate", "revenue"),
    }
    for metric in candidates[category]:
        for dimension in states.dimensions(series, metric) if metric == "conversion_rate_uplift" else [""]:
            points = _series_to_show(series, metric, dimension)
            if len(points):
                return metric, dimension, points
    return "", "", NO_POINTS


def _series_to_show(series: Series, metric: str, dimension: str) -> Points:
    """Return what tile and sparkline show: rolling metrics by the hour, others in the finest window with enough events."""
    if metric in ROLLING_METRICS:
        return series.get(("7d", dimension, metric), NO_POINTS)
    if metric == "revenue":
        return series.get(("1h", dimension, metric), NO_POINTS)
    judged = states.judged_window(series, metric, dimension)
    if len(judged):
        return judged
    windows = sorted(("10s", "1m", "1h"), key=lambda window: -WINDOW_LENGTH_MS[window])
    return next((points for window in windows if len(points := series.get((window, dimension, metric), NO_POINTS))), NO_POINTS)
