"""A chart source that follows the store: pulls what it lacks, and patches, appends or replaces."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource

from dashboard.delta import Append, Mirror
from dashboard.retention import shown_rows
from dashboard.scope import Scope
from dashboard.series import HIGH, LOW, VALUE, Changes, Column, Floats, Ints
from dashboard.store import Store
from dashboard.widgets.specs import WINDOW_OF, Line, Names, column_of, lines_of, shown_at
from schemas.metrics import WINDOW_LENGTH_MS

_GAPS = 10
"""So many windows without data break a line."""
_HOUR_MS = 3_600_000
_VOLUME: Column = ("", "prediction_volume")
Columns = dict[str, Floats]
_NO_TIMES: Ints = np.zeros(0, dtype=np.int64)


class LiveSource:
    """The columns of one window for all charts that read it.

    For each line `key`: the value, and with a band `key_low` and `key_high`; `t` is where it is drawn (epoch ms), `open` 1 while
    provisional, and `n` of minutes how many predictions there were.
    """

    def __init__(self, name: str) -> None:
        self._window = WINDOW_OF[name]
        self._lines = lines_of(name)
        step = _HOUR_MS if self._window == "7d" else WINDOW_LENGTH_MS[self._window]
        self._rollover = shown_rows(self._window)
        self._mirror = Mirror(rollover=self._rollover, length_ms=step, gap_ms=_GAPS * step)
        self._cursor = 0
        self._names: Names = {line.named[0]: () for line in self._lines if line.named}
        self.model = ColumnDataSource(name=name, data=self._columns(_no_changes(self._wanted()), self._mirror.replace(_NO_TIMES)))

    def reset(self) -> None:
        """Begin anew, as for another scope; the next pull replaces all."""
        self._cursor = 0
        self._mirror.clear()

    def pull(self, store: Store, scope: Scope, names: Names) -> bool:
        """Bring the source up to date; return whether anything was sent."""
        own = {kind: tuple(names[kind]) for kind in self._names}
        if own != self._names:
            self._names = own
            self.reset()
        whole = self._cursor == 0
        changes, cursor = store.pull(scope, self._window, self._wanted(), self._cursor)
        self._cursor = cursor
        if not len(changes.times) and not (whole and len(self.model.data["t"])):
            return False
        step = None if whole else self._mirror.plan(changes.times)
        if step is None:
            everything, self._cursor = store.pull(scope, self._window, self._wanted(), 0)
            self.model.data = dict(self._columns(everything, self._mirror.replace(everything.times)))
            return True
        if step.patch:
            rows = self._columns(changes, Append(changes.times, np.arange(len(changes.times))))
            del rows["t"]
            patches = {name: _changed(self.model.data[name], values, step.patch) for name, values in rows.items()}
            self.model.patch({name: changed for name, changed in patches.items() if changed})
        if len(step.append.times):
            self.model.stream(dict(self._columns(changes, step.append)), self._rollover)
        return True

    def _wanted(self) -> list[Column]:
        wanted = [column for line in self._lines if (column := column_of(line, self._names)) is not None]
        return [*wanted, _VOLUME] if self._window == "1m" else wanted

    def _columns(self, changes: Changes, rows: Append) -> Columns:
        """Return the columns of `rows`; an index of -1 is an empty row."""
        empty = rows.take < 0
        take = np.where(empty, 0, rows.take)

        def taken(values: Floats) -> Floats:
            return np.where(empty, np.nan, values[take]) if len(values) else np.full(len(take), np.nan)

        final = changes.final[take] & ~empty if len(changes.final) else np.zeros(len(take), dtype=np.bool_)
        columns: Columns = {"t": rows.times.astype(np.float64) + shown_at(self._window), "open": np.where(final | empty, 0.0, 1.0)}
        if self._window == "1m":
            columns["n"] = taken(changes.values[_VOLUME][:, VALUE])
        for line in self._lines:
            columns.update(self._line(line, changes, taken))
        return columns

    def _line(self, line: Line, changes: Changes, taken: Callable[[Floats], Floats]) -> Columns:
        column = column_of(line, self._names)
        values = np.full((len(changes.times), 4), np.nan) if column is None else changes.values[column]
        columns = {line.key: taken(values[:, VALUE])}
        if line.band:
            columns |= {f"{line.key}_low": taken(values[:, LOW]), f"{line.key}_high": taken(values[:, HIGH])}
        return columns


def _changed(shown: Any, values: Floats, patch: Sequence[tuple[int, int]]) -> list[tuple[int, float]]:
    """Return what of a column differs from what is shown: most lines that a chart has room for are not there, and stay so."""
    pairs = [(at, float(values[pulled])) for at, pulled in patch]
    return [(at, value) for at, value in pairs if value != shown[at] and not (math.isnan(value) and math.isnan(shown[at]))]


def _no_changes(wanted: list[Column]) -> Changes:
    nothing = np.zeros(0)
    return Changes(nothing.astype(np.int64), nothing.astype(np.bool_), {column: np.zeros((0, 4)) for column in wanted})
