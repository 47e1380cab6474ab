"""All that the dashboard knows, shared by the ingestion thread, the history loader and the pages.

Every public method takes the lock for a short time, so that pages are never kept waiting.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from dashboard import retention
from dashboard.scope import Scope
from dashboard.series import Block, Changes, Column, Frame, Points
from dashboard.tail import TAIL_BYTES, Tail
from schemas.metrics import ALL, WINDOW_LENGTH_MS, MetricsMessage

_decode = msgspec.json.Decoder(MetricsMessage).decode
_FINE = ("10s", "1m")
NAMES_LIMIT = 2_000
"""At most so many versions, and segments, of a model can be picked."""


@dataclass(slots=True)
class ModelFacts:
    """What is known of a model beside its numbers; times in epoch ms."""

    versions: set[str] = field(default_factory=set)
    segments: set[str] = field(default_factory=set)
    newest_event_ms: int = 0
    changed: int = 0
    volumes: dict[Scope, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Open:
    """A scope in detail: its frames by window, how many pages show it, and whether its history is in."""

    frames: dict[str, Frame]
    viewers: int = 0
    loaded: bool = False
    complete: bool = True


class Store:
    """Series of the fleet and of opened scopes.

    `version` grows with every change, `exports` with every newer export of the lake, `loads` as something asked of the lake has come.
    """

    def __init__(self, *, model_limit: int = 500, open_scopes: int = 32, tail_bytes: int = TAIL_BYTES) -> None:
        self._lock = threading.Lock()
        self._fleet: dict[str, dict[str, Frame]] = {}
        self._open: OrderedDict[Scope, _Open] = OrderedDict()
        self._models: dict[str, ModelFacts] = {}
        self._model_limit = model_limit
        self._open_limit = open_scopes
        self._tail = Tail(tail_bytes)
        self._exported: dict[int, int] = {}
        self.version = 0
        self.exports = self.loads = 0
        self.models_refused = 0

    def receive(self, key: bytes, value: bytes, partition: int, offset: int) -> None:
        """Take a message of the topic; raises msgspec.DecodeError when it is none of ours."""
        model, version, segment, window, _ = msgspec.json.decode(key, type=tuple[str, str, str, str, int])
        scope = Scope(model, version, segment)
        with self._lock:
            if not self._know(scope):
                return
            if window in retention.DETAIL_SPAN_MS and offset >= self._exported.get(partition, 0):
                self._tail.add(key, scope, value, partition, offset)
            if scope.whole_model or scope in self._open:
                self._apply(scope, _decode(value))

    def load(self, scope: Scope, window: str, block: Block) -> None:
        """Take the history of a scope that was opened."""
        with self._lock:
            opened = self._open.get(scope)
            if opened is not None and self._know(scope) and opened.frames[window].merge(block, self.version + 1):
                self._changed(scope, window, _newest_event_ms(block, window))

    def load_fleet(self, model: str, window: str, block: Block) -> None:
        """Take the history of a model, of all versions and segments together: the series of the fleet alone."""
        scope = Scope(model)
        with self._lock:
            if self._know(scope) and self._fleet_frame(model, window).merge(block, self.version + 1):
                self._changed(scope, window, _newest_event_ms(block, window))

    def know(self, scopes: Iterable[Scope]) -> None:
        """Take the names of scopes that the lake has."""
        with self._lock:
            for scope in scopes:
                self._know(scope)
            self._arrived()

    def exported(self, offsets: Mapping[int, int]) -> list[Scope]:
        """Take word of a newer export; return the open scopes whose history should be read again, since the tail had a hole."""
        with self._lock:
            self._exported = dict(offsets)
            self.exports += 1
            self._tail.exported(offsets)
            if not self._tail.complete_after(offsets):
                return []
            again = [scope for scope, opened in self._open.items() if not opened.complete]
            for scope in again:
                self._open[scope].complete = True
            return again

    def open(self, scope: Scope) -> bool:
        """Begin to keep a scope in detail; return whether its history must be read (and `loaded` called after that)."""
        with self._lock:
            opened = self._open.get(scope)
            fresh = opened is None
            if opened is None:
                frames = {window: Frame(span, retention.DETAIL_COLUMNS) for window, span in retention.DETAIL_SPAN_MS.items()}
                opened = self._open[scope] = _Open(frames, complete=self._tail.complete_after(self._exported))
                for value in list(self._tail.of(scope)):
                    self._apply(scope, _decode(value))
            opened.viewers += 1
            self._open.move_to_end(scope)
            idle = [each for each, state in self._open.items() if state.viewers == 0]
            for each in idle[: max(0, len(self._open) - self._open_limit)]:
                del self._open[each]
            return fresh

    def close(self, scope: Scope) -> None:
        """A page no longer shows the scope; it is kept until others push it out."""
        with self._lock:
            self._open[scope].viewers -= 1

    def loaded(self, scope: Scope) -> None:
        """The history of the scope is in."""
        with self._lock:
            if scope in self._open:
                self._open[scope].loaded = True
                self._arrived()

    def is_loaded(self, scope: Scope) -> bool:
        """Say whether the history of an open scope is in."""
        with self._lock:
            return self._open[scope].loaded

    def pull(self, scope: Scope, window: str, wanted: list[Column], cursor: int) -> tuple[Changes, int]:
        """Return the changed rows of an open scope after `cursor`, and the next cursor."""
        with self._lock:
            frame = self._open[scope].frames[window]
            return frame.pull(wanted, cursor), frame.stamp

    def columns(self, scope: Scope, window: str) -> list[Column]:
        """Return the (dimension, metric) of an open scope that have been seen."""
        with self._lock:
            return list(self._open[scope].frames[window].columns)

    def newest(self, scope: Scope, window: str) -> int:
        """Return the start (ms) of an open scope's newest window, 0 without any."""
        with self._lock:
            times = self._open[scope].frames[window].times
            return int(times[-1]) if len(times) else 0

    def stamp(self, scope: Scope, window: str) -> int:
        """Return the stamp of the last change of an open scope's window."""
        with self._lock:
            return self._open[scope].frames[window].stamp

    def weigh(self, model: str, volumes: Mapping[Scope, float]) -> None:
        """Take word of how many predictions the versions and the segments of a model have had."""
        with self._lock:
            if model in self._models:
                self._models[model].volumes = dict(volumes)
                self._arrived()

    def volumes(self, model: str) -> dict[Scope, float]:
        """Return how many predictions each version and each segment of a model has had, as far as is known."""
        with self._lock:
            return self._models.get(model, ModelFacts()).volumes

    def detail(self, scope: Scope, window: str, dimension: str, metric: str) -> Points:
        """Return one series of an open scope."""
        with self._lock:
            return self._open[scope].frames[window].points(dimension, metric)

    def totals(self, scope: Scope, window: str, metric: str, start: int, end: int) -> dict[str, float]:
        """Return, for each dimension of a metric of an open scope, the sum of its windows that start within the time (ms)."""
        with self._lock:
            return self._open[scope].frames[window].totals(metric, start, end)

    def fleet(self, model: str) -> dict[tuple[str, str, str], Points]:
        """Return the fleet's series of a model by (window, dimension, metric)."""
        with self._lock:
            frames = self._fleet.get(model, {})
            return {(window, *column): points for window, frame in frames.items() for column, points in frame.series(frame.columns).items()}

    def models(self) -> dict[str, tuple[int, int]]:
        """Return each model's newest event time (ms) and the version of its last change."""
        with self._lock:
            return {name: (facts.newest_event_ms, facts.changed) for name, facts in self._models.items()}

    def names(self, model: str) -> tuple[list[str], list[str]]:
        """Return the versions and the segments (`name=value`) of a model, sorted, without `*`."""
        with self._lock:
            facts = self._models.get(model, ModelFacts())
            return sorted(facts.versions), sorted(facts.segments)

    def dimensions(self, model: str) -> list[str]:
        """Return the dimensions of a model that the fleet's series have, sorted, without `''`."""
        with self._lock:
            frames = self._fleet.get(model, {}).values()
            return sorted({dimension for frame in frames for dimension, _ in frame.columns if dimension})

    def sizes(self) -> dict[str, int]:
        """Return how much is kept, for the health page."""
        with self._lock:
            fleet = sum(len(list(frame.columns)) for frames in self._fleet.values() for frame in frames.values())
            return {
                "models": len(self._models),
                "models_refused": self.models_refused,
                "fleet_series": fleet,
                "open_scopes": len(self._open),
                "tail_bytes": self._tail.size,
            }

    def _arrived(self) -> None:
        self.version += 1
        self.loads += 1

    def _know(self, scope: Scope) -> bool:
        facts = self._models.get(scope.model)
        if facts is None:
            if len(self._models) >= self._model_limit:
                self.models_refused += 1
                return False
            facts = self._models[scope.model] = ModelFacts()
        for names, name in ((facts.versions, scope.version), (facts.segments, scope.segment)):
            if name != ALL and len(names) < NAMES_LIMIT:
                names.add(name)
        return True

    def _apply(self, scope: Scope, message: MetricsMessage) -> None:
        stamp = self.version + 1
        changed = False
        if scope.whole_model and message.window in retention.FLEET_SPAN_MS:
            changed |= self._fleet_frame(scope.model, message.window).upsert(message, stamp, retention.keeps_for_fleet)
        opened = self._open.get(scope)
        if opened is not None and message.window in opened.frames:
            keep = retention.keeps_minute_detail if message.window == "1m" else retention.keeps_all
            changed |= opened.frames[message.window].upsert(message, stamp, keep)
        if changed:
            self._changed(scope, message.window, min(message.window_end, max(message.updated_at, message.window_start)))

    def _fleet_frame(self, model: str, window: str) -> Frame:
        frames = self._fleet.setdefault(model, {})
        if window not in frames:
            frames[window] = Frame(retention.FLEET_SPAN_MS[window], retention.FLEET_COLUMNS)
        return frames[window]

    def _changed(self, scope: Scope, window: str, newest_event_ms: int) -> None:
        self.version += 1
        facts = self._models[scope.model]
        facts.changed = self.version
        if window in _FINE:
            facts.newest_event_ms = max(facts.newest_event_ms, newest_event_ms)


def _newest_event_ms(block: Block, window: str) -> int:
    """Return the latest time of an event that the windows of a block can hold: they end then, or were written then."""
    return int(np.minimum(block.times + WINDOW_LENGTH_MS[window], np.maximum(block.updated, block.times)).max())
