"""The health page: Control Tower itself."""

from __future__ import annotations

import msgspec
from bokeh.document import Document

from dashboard.pages.state import FeedFacts, PageState, Services, feed_facts
from dashboard.watch.report import Report


class HealthFacts(msgspec.Struct, frozen=True):
    """What the browser is told; `report` is null until the first look, `newest` is the newest event time (epoch ms)."""

    feed: FeedFacts
    newest: int
    report: Report | None
    dashboard: dict[str, int]


class HealthPage:
    """Keeps one browser's view of Control Tower itself current."""

    def __init__(self, doc: Document, services: Services) -> None:
        self._services = services
        self._state = PageState()
        self.pull()
        doc.add_root(self._state)
        doc.title = f"Health \u00b7 {services.settings.title}"
        services.viewers.add(doc, self.pull, self.close)

    @property
    def facts(self) -> object:
        """What the browser is told now, as JSON has it."""
        return msgspec.json.decode(str(self._state.facts), type=object)

    def close(self) -> None:
        """The browser has gone; nothing is held for a health page."""

    def pull(self) -> None:
        """Bring the facts up to date."""
        services = self._services
        newest = max((newest for newest, _ in services.store.models().values()), default=0)
        dashboard = {"viewers": len(services.viewers), **services.store.sizes()}
        self._state.tell(HealthFacts(feed_facts(services), newest, services.watch.report, dashboard))
