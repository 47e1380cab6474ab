"""The fleet page: all models, and what needs attention."""

from __future__ import annotations

import msgspec
from bokeh.document import Document
from bokeh.models import ColumnDataSource

from dashboard.pages.state import FeedFacts, PageState, Services, feed_facts

_TILE = "tile"
"""The one column: each tile as JSON."""


class FleetFacts(msgspec.Struct, frozen=True):
    """What the browser is told beside the tiles; `newest` is the newest event time (epoch ms)."""

    feed: FeedFacts
    loading: bool
    models: int
    newest: int


class FleetPage:
    """Keeps one browser's tiles as the board has them."""

    def __init__(self, doc: Document, services: Services) -> None:
        self._services = services
        self._shown: dict[tuple[str, str], tuple[int, str]] = {}
        self._source = ColumnDataSource(name="tiles", data={_TILE: []})
        self._state = PageState()
        self.pull()
        for root in (self._state, self._source):
            doc.add_root(root)
        doc.title = services.settings.title
        services.viewers.add(doc, self.pull, self.close)

    def close(self) -> None:
        """The browser has gone; nothing is held for a fleet page."""

    def pull(self) -> None:
        """Append new tiles, patch changed ones."""
        fresh: list[str] = []
        patches: list[tuple[int, str]] = []
        for model, category, text in self._services.board.texts():
            row, shown = self._shown.get((model, category), (len(self._shown), ""))
            if shown is text:
                continue
            self._shown[model, category] = row, text
            if shown:
                patches.append((row, text))
            else:
                fresh.append(text)
        if patches:
            self._source.patch({_TILE: patches})
        if fresh:
            self._source.stream({_TILE: fresh})
        self._tell()

    def _tell(self) -> None:
        models = self._services.store.models()
        live = self._services.feed_status().state in ("live", "unreachable")
        loading = not models and not (live and self._services.loader.fleet_loaded)
        newest = max((newest for newest, _ in models.values()), default=0)
        self._state.tell(FleetFacts(feed_facts(self._services), loading, len(models), newest))
