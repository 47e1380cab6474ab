"""What is still to be published, and in which order: windows that are open first, old ones as time allows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.cells import Ints, Keys
from pipeline.panes import LENGTH_MS, ROLLING_INDEX, pane_start_ms, pane_window
from pipeline.publish.rolling import coming_hour
from schemas.metrics import ROLLING_STEP_MS


def window_ends(panes: Keys) -> Ints:
    """Return the end of each pane's window in epoch milliseconds."""
    return pane_start_ms(panes) + LENGTH_MS[pane_window(panes)]


@dataclass(slots=True)
class Agenda:
    """Tumbling panes that have changed, and those that were last published as provisional (pane -> window end)."""

    changed: Keys
    provisional: dict[int, int]
    _arrived: list[Keys] = field(default_factory=list)

    def add(self, panes: Keys) -> None:
        """Note that panes have changed."""
        self._arrived.append(panes)

    @property
    def waiting(self) -> Keys:
        """The panes that have changed since they were last taken, in no order."""
        return np.concatenate([self.changed, *self._arrived])

    def take(self, closed_before: int, most_closed: int | None) -> Keys:
        """Take what to publish now, ascending: all that end after `closed_before`, and at most so many of the others, newest first."""
        self.changed = np.unique(self.waiting)
        self._arrived.clear()
        if most_closed is None:
            taken, self.changed = self.changed, self.changed[:0]
            return taken
        ends = window_ends(self.changed)
        closed = np.flatnonzero(ends <= closed_before)
        closed = closed[np.argsort(-ends[closed], kind="stable")]
        left = np.zeros(len(self.changed), dtype=bool)
        left[closed[most_closed:]] = True
        taken, self.changed = self.changed[~left], self.changed[left]
        return taken

    def now_final(self, watermark: int, lateness: int) -> Keys:
        """Return the panes that were published as provisional and are final at this watermark."""
        passed = [pane for pane, end in self.provisional.items() if end + lateness <= watermark]
        return np.array(sorted(passed), dtype=np.uint64)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not len(self.changed) and not self._arrived


@dataclass(slots=True)
class RollingAgenda:
    """Rolling windows to publish: for each scope the first and last closed end, and the scopes whose open window has changed."""

    closed: dict[int, tuple[int, int]]
    open_end: int = 0
    open_changed: set[int] = field(default_factory=set)
    unsaved: set[int] = field(default_factory=set)

    def hour_changed(self, scope: int, hour_start: int, newest: int) -> None:
        """Note a change of a scope's hourly pane: it is part of the windows of the seven days after it."""
        last = min(hour_start + int(LENGTH_MS[ROLLING_INDEX]), coming_hour(newest))
        self.mark(scope, hour_start + ROLLING_STEP_MS, last)

    def mark(self, scope: int, first_end: int, last_end: int) -> None:
        """Note that the windows of a scope that end from `first_end` to `last_end` have changed."""
        if last_end >= self.open_end > 0:
            self.open_changed.add(scope)
            last_end = self.open_end - ROLLING_STEP_MS
        if first_end > last_end:
            return
        known = self.closed.get(scope)
        wider = (first_end, last_end) if known is None else (min(first_end, known[0]), max(last_end, known[1]))
        if wider != known:
            self.closed[scope] = wider
            self.unsaved.add(scope)

    def move_to(self, newest: int, scopes: range) -> None:
        """Follow the newest event time: when the hour changes, the windows between are closed for every scope."""
        end = coming_hour(newest)
        if end <= self.open_end:
            return
        before, self.open_end = self.open_end, end
        self.open_changed = set(scopes)
        if before:
            for scope in scopes:
                self.mark(scope, before, end - ROLLING_STEP_MS)

    def done(self, scope: int) -> None:
        """Note that the closed windows of a scope are published."""
        del self.closed[scope]
        self.unsaved.add(scope)
