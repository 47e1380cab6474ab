"""The Compare page: two sides of one model, read anew whenever the lake has more."""

from __future__ import annotations

import msgspec
from bokeh.document import Document

from dashboard.compare.choice import Choice
from dashboard.compare.reader import Comparison
from dashboard.pages.state import PageState, Services, freshness


class CompareFacts(msgspec.Struct, frozen=True):
    """What the browser is told: all models, the names of the picked one, and the comparison; `choice` is what that is of."""

    models: list[str]
    model: str
    versions: list[str]
    segments: list[str]
    choice: Choice | None
    comparison: Comparison | None


class ComparePage:
    """Keeps one browser's comparison as the lake has it."""

    def __init__(self, doc: Document, services: Services, model: str | None) -> None:
        self._services = services
        self._model = model or ""
        self._choice: Choice | None = None
        self._answer: tuple[Choice, Comparison] | None = None
        self._reading = False
        self._exports = -1
        self._state = PageState()
        self.pull()
        doc.add_root(self._state)
        doc.title = f"Compare \u00b7 {services.settings.title}"
        self._state.on_change("choice", lambda attribute, old, new: self._choose(str(new)))
        services.viewers.add(doc, self.pull, self.close)

    def close(self) -> None:
        """The browser has gone; what is being read for it is thrown away."""

    def pull(self) -> None:
        """Bring the facts up to date, and have read what was picked, or has a newer export."""
        store = self._services.store
        answered, comparison = self._answer or (None, None)  # at once: the reader's thread replaces it
        if self._choice is not None and not self._reading and (answered != self._choice or self._exports != store.exports):
            self._read(self._choice)
        self._state.tell(freshness(self._services))
        facts = CompareFacts(sorted(store.models()), self._model, *store.names(self._model), answered, comparison)
        self._state.tell_lasting(facts)

    def _read(self, choice: Choice) -> None:
        self._reading = True
        self._exports = self._services.store.exports

        def done(comparison: Comparison) -> None:
            self._answer = (choice, comparison)
            self._reading = False
            self._services.viewers.notify()

        self._services.comparisons.read(choice.model, choice.sides, done)

    def _choose(self, text: str) -> None:
        try:
            choice = msgspec.json.decode(text, type=Choice)
        except msgspec.DecodeError:
            # Only a tampered page sends anything else; it keeps what it shows.
            return
        self._model = choice.model
        self._choice = choice if choice.by == "range" or (choice.a and choice.b) else None
        self.pull()
