"""The dashboard's process: one feed, one history loader, and a web server."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from panel.io.server import get_server
from tornado.ioloop import IOLoop, PeriodicCallback

from dashboard.access.access import Access
from dashboard.access.guard import end_connections, guard
from dashboard.access.login import LoginPage
from dashboard.access.routes import login_routes
from dashboard.access.safety import require_safe
from dashboard.access.settings import AccessSettings
from dashboard.annotations.handler import ROUTE, AnnotationHandler, AnnotationsHandler
from dashboard.annotations.store import AnnotationStore
from dashboard.board import Board
from dashboard.compare.reader import Reader
from dashboard.explore.handler import QueryHandler
from dashboard.explore.queries import Queries
from dashboard.feed import Feed, FeedStatus
from dashboard.health import HealthHandler
from dashboard.history_loader import HistoryLoader
from dashboard.pages.application import ASSETS, PageApplication, assets_route
from dashboard.pages.plots import PlotsHandler
from dashboard.scope import Scope
from dashboard.security import SecurityHeaders
from dashboard.settings import DashboardSettings
from dashboard.store import Store
from dashboard.viewers import Viewers
from dashboard.watch.watch import Watch
from dashboard.widgets.charts import plots_json
from schemas.errors import ConfigurationError
from schemas.kafka import KafkaSettings
from schemas.metrics import DEFAULT_RETENTION_MS

_REFRESH_S = 1.0
_ACCESS_CHECK_S = 30
"""How often live connections of those whose login has ended are closed."""
_LONGEST_BODY = 1 << 20


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Dashboard:
    """All that one server has: what it knows, who looks at it, and how it makes a page."""

    def __init__(
        self,
        *,
        home: Path,
        kafka: KafkaSettings,
        settings: DashboardSettings,
        retention_ms: Mapping[str, int],
        on_loop: Callable[[Callable[[], None]], object],
        failed: Callable[[Exception], None],
    ) -> None:
        self.settings = settings
        self.store = Store(model_limit=settings.model_limit, open_scopes=settings.open_scopes)
        self.board = Board(self.store, stale_after_ms=settings.stale_after_ms, now_ms=_now_ms)
        self.viewers = Viewers(on_loop)
        self.loader = HistoryLoader(home=home, store=self.store, changed=self.viewers.notify)
        self.annotations = AnnotationStore(home, changed=self.viewers.notify, now_ms=_now_ms)
        self._feed = Feed(
            home=home,
            kafka=kafka,
            store=self.store,
            changed=self._changed,
            failed=failed,
            reload=self._reload,
            tick_s=_REFRESH_S,
            push_s=settings.push_interval_ms / 1000,
            now_ms=_now_ms,
        )

        self.comparisons = Reader(home, retention_ms)
        self.queries = Queries(home=home, settings=settings)
        self.watch = Watch(home=home, kafka=kafka, feed=self.feed_status, now_ms=_now_ms)

    def start(self) -> None:
        """Begin to read history and the topic, and to look at Control Tower itself."""
        self.annotations.start()
        self.loader.load_fleet()
        self._feed.start()
        self.watch.start()

    def stop(self) -> None:
        """End all threads."""
        self.watch.stop()
        self._feed.stop()
        self.queries.close()
        self.comparisons.close()
        self.loader.close()
        self.annotations.close()

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

    def _changed(self) -> None:
        self.board.refresh()
        self.viewers.notify()

    def _reload(self, scopes: list[Scope]) -> None:
        for scope in scopes:
            self.loader.load(scope)


def serve(
    *,
    home: Path,
    kafka: KafkaSettings,
    settings: DashboardSettings,
    access: AccessSettings,
    retention_ms: Mapping[str, int] = DEFAULT_RETENTION_MS,
) -> None:
    """Serve the dashboard until SIGTERM or Ctrl-C, or until its feed fails; then the error is raised.

    Raises ConfigurationError when the port is taken, the address is not this machine's, or strangers could reach it.
    """
    require_safe(settings, access)
    if not 0 < settings.port < 65_536:
        raise ConfigurationError(f"dashboard.port {settings.port} is no port", "choose one from 1 to 65535")
    # Scripts come from this server alone; set before any page is made.
    os.environ["BOKEH_RESOURCES"] = "server"
    # Each new page would be searched for mistakes in its making, on the event loop: most of the time that a page takes.
    os.environ["BOKEH_VALIDATE_DOC"] = "false"
    loop = IOLoop(make_current=False, asyncio_loop=asyncio.new_event_loop())
    errors: list[Exception] = []

    def failed(error: Exception) -> None:
        errors.append(error)
        loop.add_callback(loop.stop)

    doors = Access(home, settings, access)
    dashboard = Dashboard(home=home, kafka=kafka, settings=settings, retention_ms=retention_ms, on_loop=loop.add_callback, failed=failed)
    assets = assets_route()
    plots = f"plots-{hashlib.sha256(plots_json()).hexdigest()[:12]}.json"
    pages = PageApplication(dashboard, doors, assets=assets, plots=plots)
    login_page = LoginPage(ASSETS, access=doors, assets=assets, title=settings.title)
    origins = [f"{name}:{settings.port}" for name in dict.fromkeys(("localhost", "127.0.0.1", settings.host)) if ":" not in name]
    try:
        server = get_server(
            {"/": pages},  # type: ignore[dict-item]
            port=settings.port,
            address=settings.host,
            websocket_origin=origins + settings.allowed_origins,
            loop=loop,
            title=settings.title,
            location=False,
            static_dirs={assets: str(ASSETS)},
            extra_patterns=[
                ("/health", HealthHandler, {"report": dashboard.health, "access": doors}),
                (f"/{plots}", PlotsHandler),
                (ROUTE, AnnotationsHandler, {"store": dashboard.annotations, "access": doors}),
                (f"{ROUTE}/([^/]+)", AnnotationHandler, {"store": dashboard.annotations, "access": doors}),
                *login_routes(doors, login_page, lambda: end_connections(server._tornado, doors)),
                ("/query", QueryHandler, {"queries": dashboard.queries, "access": doors, "limit_s": settings.query_time_limit_ms / 1000}),
            ],
            use_index=False,
            sign_sessions=True,
            secret_key=doors.session_key.encode(),
            cookie_secret=doors.cookie_key,
            # The token is part of the page; what the browser sent of itself, and its cookies, need not be.
            include_headers=[],
            include_cookies=[],
            http_server_kwargs={"max_body_size": _LONGEST_BODY},
            unused_session_lifetime_milliseconds=settings.session_lifetime_ms,
            check_unused_sessions_milliseconds=max(500, settings.session_lifetime_ms // 3),
        )
    except OSError as error:
        raise ConfigurationError(
            f"the dashboard cannot listen on {settings.host}:{settings.port}: {error.strerror or error}",
            "give another one with --port, or dashboard.port in tower.toml",
        ) from error

    server._tornado.add_transform(SecurityHeaders)
    if ":" in settings.host:  # an address of IPv6, with which Bokeh would refuse the list
        server._tornado.websocket_origins.add(f"[{settings.host}]:{settings.port}")
    guard(server._tornado, doors, assets, login_page)
    check = PeriodicCallback(lambda: end_connections(server._tornado, doors), _ACCESS_CHECK_S * 1000)
    loop.add_callback(check.start)

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
    if errors:
        raise errors[0]
