"""One number of the largest versions, or of the largest values of a segment: laid over each other in one chart, or each in a small one."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from bokeh.models import ColumnDataSource

from dashboard.format import style_of
from dashboard.pages.state import Services
from dashboard.scope import Scope
from dashboard.series import HIGH, LOW, VALUE, Floats
from dashboard.widgets.specs import MULTIPLES, OVERLAY, OVERLAY_METRICS, OVERLAY_SLOTS, shown_at

VERSIONS = "versions"
_LEAST_S = 2.0
"""A source whose scopes change all the time is sent anew at most that often."""


class Overlay:
    """The source of the charts; `kind` is `""` for none, `versions`, or the name of a segment.

    `known` is how many there are, of which the largest are shown.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kind = self._metric = ""
        self._multiples = False
        self.known = 0
        self._shown: tuple[Scope, ...] = ()
        self._stamps: tuple[int, ...] = ()
        self._sent = 0.0
        self.model = ColumnDataSource(name=OVERLAY, data=_columns(np.zeros(0), np.zeros(0), []))

    @property
    def names(self) -> list[str]:
        """What is compared, the largest first."""
        return [scope.version if self._kind == VERSIONS else scope.segment.partition("=")[2] for scope in self._shown]

    @property
    def style(self) -> str:
        """How its values are written."""
        return style_of(self._metric)

    @property
    def hidden(self) -> list[str]:
        """Which of the charts have nothing to show."""
        if self._multiples:
            return [OVERLAY, *MULTIPLES[len(self._shown) :]]
        return [*MULTIPLES, *([] if self._shown else [OVERLAY])]

    @property
    def loading(self) -> bool:
        """Whether the history of any of them is still to come."""
        return any(not self._services.store.is_loaded(scope) for scope in self._shown)

    def choose(self, kind: str, metric: str, model: str, *, multiples: bool) -> None:
        """Show another kind or number, in one chart or in many."""
        self._multiples = multiples
        if kind and kind != self._kind:
            self._services.loader.weigh(model)
        metric = metric if metric in OVERLAY_METRICS else next(iter(OVERLAY_METRICS))
        if (kind, metric) != (self._kind, self._metric):
            self._kind, self._metric, self._stamps = kind, metric, ()

    def pull(self, scope: Scope) -> None:
        """Bring the source up to date for the version and segment that are picked."""
        self._show(self._largest(scope) if self._kind else ())
        store, window = self._services.store, OVERLAY_METRICS.get(self._metric, "1h")
        stamps = tuple(store.stamp(each, window) for each in self._shown)
        now = time.monotonic()
        if stamps == self._stamps or (self._stamps and now - self._sent < _LEAST_S):
            return
        self._stamps, self._sent = stamps, now
        found = [store.detail(each, window, "", self._metric) for each in self._shown]
        times = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(points.times for points in found)]))
        opened = np.zeros(len(times))
        values = []
        for points in found:
            at = np.searchsorted(times, points.times)
            rows = np.full((len(times), 4), np.nan)
            rows[at, VALUE], rows[at, LOW], rows[at, HIGH] = points.value, points.low, points.high
            opened[at] = np.maximum(opened[at], ~points.final)
            values.append(rows)
        self.model.data = dict(_columns(times.astype(np.float64) + shown_at(window), opened, values))

    def close(self) -> None:
        """Hold no scope any longer."""
        self._show(())

    def _largest(self, scope: Scope) -> tuple[Scope, ...]:
        versions, segments = self._services.store.names(scope.model)
        if self._kind == VERSIONS:
            scopes = [(Scope(scope.model, version), scope._replace(version=version)) for version in versions]
        else:
            of_kind = [segment for segment in segments if segment.partition("=")[0] == self._kind]
            scopes = [(Scope(scope.model, segment=segment), scope._replace(segment=segment)) for segment in of_kind]
        volumes = self._services.store.volumes(scope.model)
        ranked = sorted(scopes, key=lambda pair: (-volumes.get(pair[0], 0.0), pair[0]))
        self.known = len(ranked)
        return tuple(shown for _, shown in ranked[: len(MULTIPLES) if self._multiples else OVERLAY_SLOTS])

    def _show(self, scopes: tuple[Scope, ...]) -> None:
        if scopes == self._shown:
            return
        for scope in scopes:
            if self._services.store.open(scope):
                self._services.loader.load(scope)
        for scope in self._shown:
            self._services.store.close(scope)
        self._shown, self._stamps = scopes, ()


def _columns(times: Floats, opened: Floats, values: Sequence[Floats]) -> dict[str, Floats]:
    columns = {"t": times, "open": opened}
    for slot in range(len(MULTIPLES)):
        rows = values[slot] if slot < len(values) else np.full((len(times), 4), np.nan)
        columns |= {f"overlay_{slot}": rows[:, VALUE], f"overlay_{slot}_low": rows[:, LOW], f"overlay_{slot}_high": rows[:, HIGH]}
    return columns
