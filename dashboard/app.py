"""The dashboard's process: one feed, one history loader, and a web server."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import bokeh
import panel
from bokeh.document import Document
from jinja2 import Environment, FileSystemLoader, select_autoescape
from panel.io.server import get_server
from tornado.ioloop import IOLoop

from dashboard.board import Board
from dashboard.feed import Feed, FeedStatus
from dashboard.health import HealthHandler
from dashboard.history_loader import HistoryLoader
from dashboard.pages.fleet import FleetPage
from dashboard.pages.model import ModelPage
from dashboard.scope import Scope
from dashboard.settings import DashboardSettings
from dashboard.store import Store
from dashboard.viewers import Viewers
from dashboard.widgets.specs import CHARTS, SECTION_TITLES, WINDOW_OF
from schemas.errors import ConfigurationError
from schemas.kafka import KafkaSettings

_ASSETS = Path(__file__).parent / "assets"
_REFRESH_S = 1.0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Dashboard:
    """All that one server has: what it knows, who looks at it, and how it makes a page."""

    def __init__(self, *, home: Path, kafka: KafkaSettings, settings: DashboardSettings) -> None:
        self.settings = settings
        self.store = Store(model_limit=settings.model_limit, open_scopes=settings.open_scopes)
        self.board = Board(self.store, stale_after_ms=settings.stale_after_ms, now_ms=_now_ms)
        self.viewers = Viewers()
        self.loader = HistoryLoader(home=home, store=self.store, changed=self.viewers.notify)
        self._feed = Feed(
            home=home,
            kafka=kafka,
            store=self.store,
            changed=self._changed,
            reload=self._reload,
            tick_s=_REFRESH_S,
            push_s=settings.push_interval_ms / 1000,
            now_ms=_now_ms,
        )
        self._templates = Environment(loader=FileSystemLoader(_ASSETS), autoescape=select_autoescape(("html",)))
        # In the address of every asset, so that a browser never mixes those of two versions.
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_ASSETS.iterdir())))
        self.assets = f"assets-{digest.hexdigest()[:12]}"

    def start(self) -> None:
        """Begin to read history and the topic."""
        self.loader.load_fleet()
        self._feed.start()

    def stop(self) -> None:
        """End both threads."""
        self._feed.stop()
        self.loader.close()

    def feed_status(self) -> FeedStatus:
        """Return how the feed is."""
        return self._feed.status

    def health(self) -> Mapping[str, object]:
        """Return the report of `/health`; times in ms."""
        newest = max((newest for newest, _ in self.store.models().values()), default=0)
        status = self._feed.status
        return {
            "status": status.state,
            "since": status.since_ms,
            "offset_lag": status.lag,
            "refused_messages": status.refused,
            "data_age_ms": _now_ms() - newest if newest else None,
            "history_loaded": self.loader.fleet_loaded,
            "viewers": len(self.viewers),
            **self.store.sizes(),
        }

    def page(self) -> None:
        """Fill the document of a new session: the fleet, or the model that its address names."""
        doc = panel.state.curdoc
        assert doc is not None
        assert doc.session_context is not None
        arguments: Mapping[str, list[bytes]] = getattr(doc.session_context, "request").arguments  # noqa: B009 - untyped in Bokeh
        values = {name: arguments[name][0].decode("utf-8", "replace") for name in ("model", "version", "segment") if arguments.get(name)}
        doc.config.reconnect_session = False
        doc.config.notify_connection_status = False
        doc.config.notifications = None
        if values.get("model"):
            scope = Scope(values["model"], values.get("version", "*"), values.get("segment", "*"))
            ModelPage(doc, self, scope, _now_ms())
            self._dress(doc, "model", _model_variables(scope))
        else:
            FleetPage(doc, self)
            self._dress(doc, "fleet", {})

    def _dress(self, doc: Document, name: str, variables: Mapping[str, object]) -> None:
        doc.template = self._templates.get_template(f"{name}.html")
        doc.template_variables.update(
            page=name, assets=self.assets, product=self.settings.title, bokeh_version=bokeh.__version__, **variables
        )

    def _changed(self) -> None:
        self.board.refresh()
        self.viewers.notify()

    def _reload(self, scopes: list[Scope]) -> None:
        for scope in scopes:
            self.loader.load(scope)


def _model_variables(scope: Scope) -> dict[str, object]:
    charts = [
        {
            "name": spec.name,
            "source": spec.source,
            "style": spec.style,
            "range": spec.range,
            "empty": spec.empty,
            "lines": [{"key": line.key, "label": line.label, "slot": line.slot, "band": line.band} for line in spec.lines],
        }
        for spec in CHARTS
    ]
    sections = [
        {"id": category.value, "title": title, "charts": [spec for spec in CHARTS if spec.section is category]}
        for category, title in SECTION_TITLES.items()
    ]
    return {**scope._asdict(), "charts": charts, "sections": sections, "sources": list(WINDOW_OF)}


def serve(*, home: Path, kafka: KafkaSettings, settings: DashboardSettings) -> None:
    """Serve the dashboard until SIGTERM or Ctrl-C.

    Raises ConfigurationError when the port is taken or the address is not this machine's.
    """
    # Scripts come from this server alone; set before any page is made.
    os.environ["BOKEH_RESOURCES"] = "server"
    loop = IOLoop(make_current=False, asyncio_loop=asyncio.new_event_loop())
    dashboard = Dashboard(home=home, kafka=kafka, settings=settings)
    origins = [f"{name}:{settings.port}" for name in dict.fromkeys(("localhost", "127.0.0.1", settings.host))]
    try:
        server = get_server(
            {"/": dashboard.page},
            port=settings.port,
            address=settings.host,
            websocket_origin=origins + settings.allowed_origins,
            loop=loop,
            title=settings.title,
            location=False,
            static_dirs={dashboard.assets: str(_ASSETS)},
            extra_patterns=[("/health", HealthHandler, {"report": dashboard.health})],
            unused_session_lifetime_milliseconds=settings.session_lifetime_ms,
            check_unused_sessions_milliseconds=max(500, settings.session_lifetime_ms // 3),
        )
    except OSError as error:
        raise ConfigurationError(
            f"the dashboard cannot listen on {settings.host}:{settings.port}: {error.strerror or error}",
            "give another one with --port, or dashboard.port in tower.toml",
        ) from error

    def leave(*_: object) -> None:
        loop.add_callback_from_signal(loop.stop)

    if threading.current_thread() is threading.main_thread():
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, leave)
    dashboard.start()
    server.start()
    try:
        loop.start()
    finally:
        server.stop(wait=False)
        dashboard.stop()
        loop.close()
