"""The fleet page: all models, and what needs attention."""

from __future__ import annotations

from dataclasses import fields

import msgspec
from bokeh.document import Document
from bokeh.models import ColumnDataSource

from dashboard.board import Tile
from dashboard.pages.state import FeedFacts, PageState, Services, feed_facts

_FIELDS = [each.name for each in fields(Tile)]


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
        self._shown: dict[tuple[str, str], tuple[int, Tile]] = {}
        self._source = ColumnDataSource(name="tiles", data={name: [] for name in _FIELDS})
        self._state = PageState(name="state")
        self.pull()
        for root in (self._state, self._source):
            doc.add_root(root)
        doc.title = services.settings.title
        services.viewers.add(doc, self.pull, self.close)

    def close(self) -> None:
        """The browser has gone; nothing is held for a fleet page."""

    def pull(self) -> None:
        """Append new tiles, patch changed ones: of each only the columns that differ."""
        fresh: list[Tile] = []
        patches: dict[str, list[tuple[int, object]]] = {}
        for tile in self._services.board.tiles():
            key = (tile.model, tile.category)
            known = self._shown.get(key)
            if known is None:
                self._shown[key] = (len(self._shown), tile)
                fresh.append(tile)
            elif known[1] is not tile:
                row, earlier = known
                self._shown[key] = (row, tile)
                for name in _FIELDS:
                    if getattr(tile, name) != getattr(earlier, name):
                        patches.setdefault(name, []).append((row, _cell(tile, name)))
        if patches:
            self._source.patch(patches)
        if fresh:
            self._source.stream({name: [_cell(tile, name) for tile in fresh] for name in _FIELDS})
        self._tell()

    def _tell(self) -> None:
        models = self._services.store.models()
        live = self._services.feed_status().state in ("live", "unreachable")
        loading = not models and not (live and self._services.loader.fleet_loaded)
        newest = max((newest for newest, _ in models.values()), default=0)
        self._state.tell(FleetFacts(feed_facts(self._services), loading, len(models), newest))


def _cell(tile: Tile, name: str) -> object:
    value = getattr(tile, name)
    return list(value) if name == "spark" else value
