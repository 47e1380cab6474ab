"""What is still to be published, and in which order: windows that are open first, old ones as time allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.cells import Ints, Keys
from pipeline.panes import LENGTH_MS, ROLLING_INDEX, pane_start_ms, pane_window
from pipeline.publish.rolling import coming_hour
from schemas.metrics import ROLLING_STEP_MS, TUMBLING


def window_ends(panes: Keys) -> Ints:
    """Return the end of each pane's window in epoch milliseconds."""
    return pane_start_ms(panes) + LENGTH_MS[pane_window(panes)]


@dataclass(slots=True)
class Agenda:
    """Tumbling panes that have changed, and those that were last published as provisional (pane -> window end).

    Windows that have ended wait by window, as a stack: after a long replay they are many, and nobody should
    wait for all minutes of two days before the hours of the week appear.
    """

    provisional: dict[int, int]
    _arrived: list[Keys] = field(default_factory=list)
    _ended: list[OrderedDict[int, None]] = field(default_factory=lambda: [OrderedDict() for _ in TUMBLING])

    def add(self, panes: Keys) -> None:
        """Note that panes have changed."""
        self._arrived.append(panes)

    def take_open(self, ended_before: int, *, but: Collection[int] = ()) -> Keys:
        """Take all that have changed and end after `ended_before`, ascending; the others wait for `take_ended`.

        The windows `but` (indices) stay, too, as long as they are open.
        """
        arrived = np.unique(np.concatenate(self._arrived)) if self._arrived else np.zeros(0, dtype=np.uint64)
        self._arrived.clear()
        is_open = window_ends(arrived) > ended_before
        ended = arrived[~is_open]
        for pane, window in zip(ended.tolist(), pane_window(ended).tolist(), strict=True):
            self._ended[window].pop(pane, None)  # to the top, wherever it waits
            self._ended[window][pane] = None
        held = is_open & np.isin(pane_window(arrived), list(but))
        if held.any():
            self._arrived.append(arrived[held])
        return arrived[is_open & ~held]

    def take_ended(self, most: int) -> Keys:
        """Take at most so many of the windows that have ended, ascending: the longest windows first, and of these the newest."""
        taken: list[int] = []
        for waiting in reversed(self._ended):
            while waiting and len(taken) < most:
                taken.append(waiting.popitem()[0])
        return np.array(sorted(taken), dtype=np.uint64)

    def forget(self, first_kept: Sequence[int]) -> None:
        """Drop of each window what has waited longest and lies before the pane `first_kept[window]`: nobody would see it any more.

        Without this, a replay that is faster than they can be published would pile them up.
        """
        for waiting, first in zip(self._ended, first_kept, strict=False):
            while waiting and next(iter(waiting)) < first:
                waiting.popitem(last=False)

    def not_waiting(self, panes: Keys) -> Keys:
        """Return those of `panes` that have not changed since they were taken."""
        ended: Keys = np.array([pane for pane in panes.tolist() if not any(pane in waiting for waiting in self._ended)], dtype=np.uint64)
        return np.setdiff1d(ended, np.concatenate([ended[:0], *self._arrived]))

    def now_final(self, watermark: int, lateness: int) -> Keys:
        """Return the panes that were published as provisional and are final at this watermark."""
        passed = [pane for pane, end in self.provisional.items() if end + lateness <= watermark]
        return np.array(sorted(passed), dtype=np.uint64)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._arrived and not any(self._ended)


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
