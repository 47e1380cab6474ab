"""The Explore page: what can be picked; the rows come from `/query`."""

from __future__ import annotations

import msgspec
from bokeh.document import Document

from dashboard.names import metric_names
from dashboard.pages.state import PageState, Services, freshness
from schemas.metrics import WINDOW_LENGTH_MS


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model that the browser picked."""

    model: str = ""


class ExploreNames(msgspec.Struct, frozen=True):
    """What can be picked: all models, and of the picked one its versions, segments and dimensions."""

    models: list[str]
    model: str
    versions: list[str]
    segments: list[str]
    dimensions: list[str]


class ExplorePage:
    """Keeps one browser's lists of names current."""

    def __init__(self, doc: Document, services: Services, model: str | None) -> None:
        self._services = services
        self._model = model or ""
        self._state = PageState()
        self.pull()
        doc.add_root(self._state)
        doc.title = f"Explore \u00b7 {services.settings.title}"
        self._state.on_change("choice", lambda attribute, old, new: self._choose(str(new)))
        services.queries.prepare()
        services.viewers.add(doc, self.pull, self.close)

    def close(self) -> None:
        """The browser has gone; nothing is held for an Explore page."""

    def pull(self) -> None:
        """Bring the facts up to date."""
        store = self._services.store
        self._state.tell(freshness(self._services))
        names = ExploreNames(sorted(store.models()), self._model, *store.names(self._model), store.dimensions(self._model))
        self._state.tell_lasting(names)

    def _choose(self, text: str) -> None:
        try:
            self._model = msgspec.json.decode(text, type=Choice).model
        except msgspec.DecodeError:
            # Only a tampered page sends anything else; it keeps what it shows.
            return
        self.pull()


def explore_variables(services: Services) -> dict[str, object]:
    """Return what the page's template is filled with."""
    settings = services.settings
    return {
        "metrics": metric_names(),
        "windows": list(WINDOW_LENGTH_MS),
        "query": {
            "key": services.queries.key,
            "rows": settings.query_rows,
            "fileRows": settings.download_rows,
            "seconds": settings.query_time_limit_ms // 1000,
        },
    }
