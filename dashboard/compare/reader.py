"""Reads what is compared from the lake, in a thread of its own, so that neither the event loop nor the pages that open wait for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import duckdb
import msgspec

from dashboard.compare.comparison import Line, compare
from dashboard.compare.intervals import Value
from dashboard.compare.pooling import POOLED, Column, pool
from dashboard.compare.stretch import Stretch, is_one_window, tiles, whole
from dashboard.history import History, read_manifest
from dashboard.scope import Scope
from schemas.metrics import DEFAULT_RETENTION_MS

_log = logging.getLogger("dashboard.compare")


class Side(msgspec.Struct, frozen=True):
    """What one side is of; times in epoch ms."""

    version: str
    segment: str
    start: int
    end: int


_NONE = Side("", "", 0, 0)


class Comparison(msgspec.Struct, frozen=True):
    """The two sides as they were read, with whole ends, and their differences.

    `left_out` are the metrics that a stretch of several windows does not have; `empty` says whether a side has no data; `shared`
    whether predictions may be of both sides.
    """

    a: Side
    b: Side
    lines: list[Line]
    left_out: list[str]
    empty: tuple[bool, bool]
    shared: bool
    newest: int
    error: str = ""


class Reader:
    """Reads comparisons, one after the other; `kept_ms` says how long each window is kept."""

    def __init__(self, home: Path, kept_ms: Mapping[str, int] = DEFAULT_RETENTION_MS) -> None:
        self._home = home
        self._kept_ms = kept_ms
        self._history: History | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compare")

    def read(self, model: str, sides: Callable[[int], tuple[Side, Side]], done: Callable[[Comparison], None]) -> None:
        """Read two sides and call `done`, in the reader's thread. `sides` is given the newest event time of the lake (epoch ms)."""
        self._worker.submit(lambda: done(self._guarded(model, sides)))

    def close(self) -> None:
        """Stop after the read that is under way."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _guarded(self, model: str, sides: Callable[[int], tuple[Side, Side]]) -> Comparison:
        try:
            newest = read_manifest(self._home).newest_event_time
            a, b = (self._whole(side, newest) for side in sides(newest))
            return self._compared(model, a, b, newest)
        except Exception as error:  # whatever it is: a page that is never answered would ask no more
            _log.error(
                "a comparison could not be read from %s: %s", self._home / "lake", error, exc_info=not isinstance(error, duckdb.Error)
            )
            return Comparison(_NONE, _NONE, [], [], (True, True), False, 0, "The lake cannot be read now; see the dashboard's log.")

    def _compared(self, model: str, a: Side, b: Side, newest: int) -> Comparison:
        (of_a, missing_a), (of_b, missing_b) = (self._values(model, side, newest) for side in (a, b))
        left_out = sorted(missing_a | missing_b)
        # What is known of one side alone, since the other one is several windows, cannot be compared.
        of_a, of_b = ({column: value for column, value in of.items() if column[0] not in left_out} for of in (of_a, of_b))
        return Comparison(a, b, compare(of_a, of_b), left_out, (not of_a, not of_b), _share(a, b), newest)

    def _values(self, model: str, side: Side, newest: int) -> tuple[dict[Column, Value], set[str]]:
        """Return the values of a side, and the metrics that it cannot have."""
        if self._history is None:
            self._history = History.of(self._home)
        parts = tiles(Stretch(side.start, side.end))
        windows = self._history.windows(Scope(model, side.version, side.segment), [astuple(part) for part in parts])
        if is_one_window(parts):
            return {(row.metric, row.dimension): Value(row.value, row.n, row.low, row.high) for each in windows for row in each.rows}, set()
        missing = {row.metric for each in windows for row in each.rows} - POOLED
        # Of a stretch that is not yet over, what has gone by.
        seconds = max(1.0, (min(side.end, newest) - side.start) / 1000)
        return pool([each.rows for each in windows], seconds), missing

    def _whole(self, side: Side, newest: int) -> Side:
        stretch = whole(Stretch(side.start, side.end), newest, self._kept_ms)
        return msgspec.structs.replace(side, start=stretch.start, end=stretch.end)


def _share(a: Side, b: Side) -> bool:
    """Say whether one prediction can be of both sides: they overlap in time, and neither version nor segment keeps them apart."""
    if a.end <= b.start or b.end <= a.start:
        return False
    versions = a.version != b.version and "*" not in (a.version, b.version)
    names = [side.segment.partition("=")[0] for side in (a, b)]
    segments = a.segment != b.segment and "*" not in names and names[0] == names[1]
    return not versions and not segments
