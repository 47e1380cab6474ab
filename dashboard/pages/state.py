"""What a page's server and browser sides tell each other, beside the charts' columns."""

from __future__ import annotations

from typing import Protocol

import msgspec
from bokeh.core.properties import Int, String
from bokeh.model import DataModel

from dashboard.annotations.annotation import Annotation
from dashboard.annotations.store import AnnotationStore
from dashboard.board import Board
from dashboard.compare.reader import Reader
from dashboard.explore.queries import Queries
from dashboard.feed import FeedStatus
from dashboard.history_loader import HistoryLoader
from dashboard.settings import DashboardSettings
from dashboard.store import Store
from dashboard.viewers import Viewers
from dashboard.watch.watch import Watch


class PageState(DataModel):
    """`facts`, `lasting`, `annotations`: JSON for the browser, replaced whole; `choice`: JSON from the browser.

    `lasting` are facts that change seldom: those that change with each event are not to take them along. What the browser puts into `asked`
    comes back as `heard`, so that it knows of a connection that was lost in silence.
    """

    facts = String(default="{}")
    lasting = String(default="{}")
    choice = String(default="{}")
    annotations = String(default="[]")
    asked = Int(default=0)
    heard = Int(default=0)

    def __init__(self) -> None:
        super().__init__(name="state")
        self.on_change("asked", lambda attribute, old, new: self.update(heard=new))

    def tell(self, facts: msgspec.Struct) -> None:
        """Give the browser new facts, unless they are as before."""
        text = msgspec.json.encode(facts).decode()
        if text != self.facts:
            self.update(facts=text)

    def tell_lasting(self, facts: msgspec.Struct) -> None:
        """Give the browser new lasting facts, unless they are as before."""
        text = msgspec.json.encode(facts).decode()
        if text != self.lasting:
            self.update(lasting=text)

    def annotate(self, annotations: list[Annotation]) -> None:
        """Give the browser the annotations, unless they are as before; they change seldom, so they are no part of the facts."""
        text = msgspec.json.encode(annotations).decode()
        if text != self.annotations:
            self.update(annotations=text)


class FeedFacts(msgspec.Struct, frozen=True):
    """The feed's state, and since when (epoch ms)."""

    state: str
    since: int


class Freshness(msgspec.Struct, frozen=True):
    """All that a page without live numbers is told of what is live: the feed, and the newest event time (epoch ms)."""

    feed: FeedFacts
    newest: int


class Services(Protocol):
    """What a page needs of the application."""

    settings: DashboardSettings
    store: Store
    board: Board
    viewers: Viewers
    loader: HistoryLoader
    watch: Watch
    queries: Queries
    comparisons: Reader
    annotations: AnnotationStore

    def feed_status(self) -> FeedStatus:
        """Return how the feed is."""


def feed_facts(services: Services) -> FeedFacts:
    """Return the feed's state for the browser."""
    status = services.feed_status()
    return FeedFacts(status.state, status.since_ms)


def freshness(services: Services) -> Freshness:
    """Return the feed's state and the newest event time for the browser."""
    newest = max((newest for newest, _ in services.store.models().values()), default=0)
    return Freshness(feed_facts(services), newest)
