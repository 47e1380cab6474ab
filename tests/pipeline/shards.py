"""A shard on its own: events in, panes out, with a clock that the test sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cells import Kind, cell_keys
from pipeline.columns import Progress
from pipeline.exact import collapsed
from pipeline.panes import Cells, pane_scope, pane_start_ms, pane_window
from pipeline.route import slices
from pipeline.settings import PipelineSettings
from pipeline.shard.shard import Shard
from pipeline.shard.updates import PaneUpdate
from schemas.metrics import TUMBLING
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import NOW, SETTINGS, batch, encoded, reader

ONE_PARTITION = {PREDICTIONS: frozenset({0}), OUTCOMES: frozenset({0})}


class OneShard:
    """Reads events as partition 0 of each topic, and remembers the newest state of each pane that it was told."""

    def __init__(
        self,
        folder: Path,
        settings: PipelineSettings = SETTINGS,
        partitions: Mapping[str, frozenset[int]] = ONE_PARTITION,
        acknowledged: int = 0,
    ) -> None:
        self.acknowledged = acknowledged
        self.shard = Shard(0, folder, settings, partitions, lambda: NOW, lambda: self.acknowledged)
        self.told: dict[tuple[Any, ...], float] = {}
        self.updates: list[PaneUpdate] = []
        self.offsets = {PREDICTIONS: 0, OUTCOMES: 0}

    def take(self, topic: str, *events: dict[str, Any], start: int | None = None, idle: bool = False) -> None:
        """Take events of one topic, from its partition's next offset on."""
        first = self.offsets[topic] if start is None else start
        self.offsets[topic] = max(self.offsets[topic], first + len(events))
        intake = reader(now=2**52).read(batch([encoded(event) for event in events], topic=topic, start=first, idle=idle))
        assert intake.dead == [], intake.dead[0].rejection
        (part,) = slices(intake.progress, intake.predictions, intake.outcomes, 1)
        self.shard.take(part)

    def commit(self) -> PaneUpdate | None:
        """Commit what was taken."""
        update = self.shard.commit()
        if update is not None:
            self.updates.append(update)
            self._learn(update.cells)
        return update

    def played(self, topic: str, *events: dict[str, Any], **placed: Any) -> PaneUpdate | None:
        """Take events and commit them."""
        self.take(topic, *events, **placed)
        return self.commit()

    def advance(self, to: int, *, commits: int = 1) -> None:
        """Let both topics' times move on to `to`, without events."""
        for _ in range(commits):
            for topic in (PREDICTIONS, OUTCOMES):
                end = self.offsets[topic] = self.offsets[topic] + 1
                self.shard.take(slices(Progress(topic, 0, end - 1, end, to, False), None, None, 1)[0])
            self.commit()

    def first(self) -> list[PaneUpdate]:
        """Return what is told first after a start."""
        return [*self.shard.unpublished()]

    def stored(self) -> Cells:
        """Return all panes as they are on disk."""
        state = self.shard._state
        return state.panes(state.all_panes())

    def value(
        self, kind: Kind, window: str, start: int, scope: tuple[str, str, str] = ("churn", "*", "*"), a: int = 0, b: int = 0
    ) -> float:
        """Return the last that was told of one cell of a pane; 0 when there is none."""
        return self.told.get((window, start, scope, int(cell_keys(kind, a, b))), 0.0)

    def windows(self, kind: Kind) -> set[tuple[str, int]]:
        """Return (window, start) of all panes that have told of a kind of cell, over all versions and segments."""
        return {key[:2] for key in self.told if key[3] >> 56 == int(kind) and key[2] == ("churn", "*", "*")}

    def close(self) -> None:
        """Let go of the folder."""
        self.shard.close()

    def _learn(self, cells: Cells) -> None:
        cells = collapsed(cells)
        for pane in np.unique(cells.pane).tolist():
            mine = cells.pane == pane
            one = np.array([pane], dtype=np.uint64)
            names = self.shard._names
            scope = tuple(names.texts.items[part] for part in names.scopes.items[int(pane_scope(one)[0])])
            place = (TUMBLING[int(pane_window(one)[0])], int(pane_start_ms(one)[0]), scope)
            self.told = {key: value for key, value in self.told.items() if key[:3] != place}
            self.told |= {(*place, key): value for key, value in zip(cells.cell[mine].tolist(), cells.value[mine].tolist(), strict=True)}


def with_settings(**changes: Any) -> PipelineSettings:
    """Return the default settings with changes."""
    return replace(SETTINGS, **changes)
