"""The alerts page. No part evaluates alert rules yet, so there is nothing to list: it says so, and how the fleet is."""

from __future__ import annotations

from collections import Counter

import msgspec
from bokeh.document import Document

from dashboard.pages.state import FeedFacts, PageState, Services, feed_facts

STATES = ("active", "acknowledged", "silenced", "resolved")
"""Of an alert, as the page lists them."""


class AlertsFacts(msgspec.Struct, frozen=True):
    """What the browser is told: how many tiles of the fleet are in each state; `newest` is the newest event time (epoch ms)."""

    feed: FeedFacts
    newest: int
    tiles: dict[str, int]


class AlertsPage:
    """Keeps one browser's view of the alerts current."""

    def __init__(self, doc: Document, services: Services) -> None:
        self._services = services
        self._state = PageState()
        self.pull()
        doc.add_root(self._state)
        doc.title = f"Alerts \u00b7 {services.settings.title}"
        services.viewers.add(doc, self.pull, self.close)

    def close(self) -> None:
        """The browser has gone; nothing is held for this page."""

    def pull(self) -> None:
        """Bring the facts up to date."""
        services = self._services
        newest = max((newest for newest, _ in services.store.models().values()), default=0)
        tiles = Counter(tile.state for tile in services.board.tiles())
        self._state.tell(AlertsFacts(feed_facts(services), newest, dict(sorted(tiles.items()))))
