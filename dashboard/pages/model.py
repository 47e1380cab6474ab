"""A model's page: four sections of live charts for one version and segment, or all."""

from __future__ import annotations

import time

import msgspec
from bokeh.document import Document

from dashboard.board import Limit
from dashboard.pages.breakdowns import (
    Breakdown,
    by_class,
    features_in,
    features_of,
    intervals_of,
    nulls_by_feature,
    scores,
    uplifts,
    variants_of,
)
from dashboard.pages.matrix import HOUR_MS, Matrix, matrix
from dashboard.pages.overlay import Overlay
from dashboard.pages.state import FeedFacts, PageState, Services, feed_facts
from dashboard.scope import Scope
from dashboard.widgets.source import LiveSource
from dashboard.widgets.specs import FEATURE_SLOTS, HOUR, MINUTE, OVERLAY, ROLLING_SOURCE, WINDOW_OF, Names, lines_of, name_of

_NEEDS = {
    "f1": "f1_score",
    "f1_hour": "f1_score",
    "error": "rmse",
    "error_hour": "rmse",
    "conversion": "conversion_rate",
    "uplift": "conversion_rate",
    "revenue": "revenue",
    "revenue_total": "revenue",
}
"""Charts that are shown only for models that have this metric."""
_ASSUMED = {"f1_score", "conversion_rate", "revenue"}
"""What a model is taken to have while nothing is known of it."""


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the browser picked, and from when to when (ms) its charts reach."""

    version: str = "*"
    segment: str = "*"
    feature: str = ""
    overlay: str = ""
    metric: str = ""
    multiples: bool = False
    start: int = 0
    end: int = 0


_LEAST_S = 2.0
"""What is of hours and days is sent at most that often: one more event changes it, but nothing that could be seen."""


class ModelFacts(msgspec.Struct, frozen=True):
    """What the browser is told with each event; `newest` is the newest event time (epoch ms)."""

    feed: FeedFacts
    newest: int
    tiles: list[msgspec.Raw]


class PickedFacts(msgspec.Struct, frozen=True):
    """What the browser is told of what is picked. A breakdown that is null does not apply to the model."""

    loading: bool
    known: bool
    model: str
    version: str
    segment: str
    versions: list[str]
    segments: list[str]
    names: dict[str, str]
    feature: str
    features: int
    overlay_style: str
    overlay_loading: bool
    overlay_known: int
    hidden: list[str]
    limits: list[Limit]
    scores: list[Breakdown] | None
    classes: list[Breakdown] | None
    nulls: list[Breakdown] | None
    uplifts: list[Breakdown] | None
    matrix: Matrix | None


class ModelPage:
    """Keeps one browser's charts of a model as the store has them."""

    def __init__(self, doc: Document, services: Services, scope: Scope, feature: str) -> None:
        self._services = services
        self._scope = scope
        self._feature = feature
        self._overlay = Overlay(services)
        self._range: tuple[int, int] | None = None
        self._features: list[str] = []
        self._features_of: tuple[object, ...] = ()
        self._sources = {name: LiveSource(name) for name in WINDOW_OF}
        self._names: Names = {}
        self._told_s = 0.0
        self._told_of: tuple[Scope, int] | None = None
        self._state = PageState()
        # What the page has room for until the history of what is picked has come: as before, so that nothing moves twice.
        self._metrics = {metric for _, _, metric in services.store.fleet(scope.model)} or _ASSUMED
        self._has_classes = False
        self._open(scope)
        self.pull()
        for root in (self._state, self._overlay.model, *(source.model for source in self._sources.values())):
            doc.add_root(root)
        doc.title = f"{scope.model} \u00b7 {services.settings.title}"
        self._state.on_change("choice", lambda attribute, old, new: self._choose(str(new)))
        services.viewers.add(doc, self.pull, self.close)

    @property
    def known(self) -> bool:
        """Whether the page has room for the model's tiles: it has some, or may yet have."""
        return bool(self._services.board.texts_of(self._scope.model)) or not self._services.store.is_loaded(self._scope)

    @property
    def hidden(self) -> list[str]:
        """The charts that do not apply, so that the page has no room for them from the first on."""
        return _hidden(self._metrics) + ([] if self._feature else ["feature"]) + self._overlay.hidden

    def close(self) -> None:
        """The browser has gone."""
        self._services.store.close(self._scope)
        self._overlay.close()

    def _open(self, scope: Scope) -> None:
        if self._services.store.open(scope):
            self._services.loader.load(scope)

    def _choose(self, text: str) -> None:
        try:
            choice = msgspec.json.decode(text, type=Choice)
        except msgspec.DecodeError:
            # Only a tampered page sends anything else; it keeps what it shows.
            return
        self._feature = choice.feature
        self._overlay.choose(choice.overlay, choice.metric, self._scope.model, multiples=choice.multiples)
        self._range = (choice.start, choice.end) if choice.end else None
        before, self._scope = self._scope, Scope(self._scope.model, choice.version, choice.segment)
        if before != self._scope:
            self._open(self._scope)
            self._services.store.close(before)
            for source in self._sources.values():
                source.reset()
        self._told_of = None
        self.pull()

    def pull(self) -> None:
        """Bring charts and facts up to date: minutes and tiles each time; hours and days now and then, and when history has come."""
        services, scope = self._services, self._scope
        now, of = time.monotonic(), (scope, services.store.loads)
        if of != self._told_of or now - self._told_s >= _LEAST_S:
            self._told_of, self._told_s = of, now
            self._pull_hours()
        self._sources[MINUTE].pull(services.store, scope, self._names)
        newest = services.store.models().get(scope.model, (0, 0))[0]
        self._state.tell(ModelFacts(feed_facts(services), newest, [msgspec.Raw(text) for text in services.board.texts_of(scope.model)]))
        self._state.annotate(services.annotations.of(scope.model))

    def _pull_hours(self) -> None:
        store, scope = self._services.store, self._scope
        columns = store.columns(scope, "1h")
        # Ranked anew when an hour begins or a feature is new, so that no row moves without need.
        key = (scope, len(columns), store.newest(scope, "1h"), store.is_loaded(scope))
        if key != self._features_of:
            known = features_of(store, scope, columns)
            # Until they have come: those of all versions and segments, so that there is room for them.
            self._features_of, self._features = key, known or sorted(features_in(store.fleet(scope.model)))
        picked = [self._feature] if self._feature else []
        self._names = {
            "variant": variants_of(store, scope),
            "feature": self._features[:FEATURE_SLOTS],
            "picked": picked,
            "interval": intervals_of(columns),
        }
        for name in (HOUR, ROLLING_SOURCE):
            self._sources[name].pull(store, scope, self._names)
        self._overlay.pull(scope)
        self._tell({**self._names, OVERLAY: self._overlay.names})

    def _tell(self, names: Names) -> None:
        store, scope = self._services.store, self._scope
        versions, segments = store.names(scope.model)
        metrics = {metric for _, metric in store.columns(scope, "7d")} | {metric for _, metric in store.columns(scope, "1h")}
        loaded, newest = store.is_loaded(scope), store.newest(scope, "1h")
        classes = by_class(store, scope)
        if loaded:
            self._metrics, self._has_classes = metrics, classes is not None
        facts = PickedFacts(
            loading=not loaded,
            known=bool(metrics),
            model=scope.model,
            version=scope.version,
            segment=scope.segment,
            versions=versions,
            segments=segments,
            names=_names(names),
            feature=self._feature,
            features=len(self._features),
            overlay_style=self._overlay.style,
            overlay_loading=self._overlay.loading,
            overlay_known=self._overlay.known,
            hidden=self.hidden,
            limits=_limits(self._services.board.limits(scope.model), scope),
            scores=scores(store, scope),
            classes=classes if loaded else [] if self._has_classes else None,
            nulls=nulls_by_feature(store, scope),
            uplifts=uplifts(store, scope) if "conversion_rate" in self._metrics else None,
            matrix=matrix(store, scope, *(self._range or (newest - 23 * HOUR_MS, newest + HOUR_MS))),
        )
        self._state.tell_lasting(facts)


def _limits(limits: list[Limit], scope: Scope) -> list[Limit]:
    """Return the limits that hold for a scope: how much is too little is said of all versions and segments together."""
    return [limit for limit in limits if scope.whole_model or limit.metric != "throughput_per_s"]


def _hidden(metrics: set[str]) -> list[str]:
    """Return the charts that do not apply; a model without any label yet keeps that of F1, which says so."""
    labelled = bool({"f1_score", "rmse"} & metrics)
    return [name for name, metric in _NEEDS.items() if metric not in metrics and (labelled or metric != "f1_score")]


def _names(names: Names) -> dict[str, str]:
    """Return the labels of the lines that are of one variant or feature, by key."""
    lines = [line for source in (HOUR, ROLLING_SOURCE, OVERLAY) for line in lines_of(source) if line.named]
    found = {line.key: name_of(line, names) for line in lines}
    return {key: name or "all" for key, name in found.items() if name is not None}
