"""Which page an address means, and how a session's document is filled with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import bokeh
from bokeh.application.application import SessionContext
from bokeh.document import Document
from jinja2 import Environment, FileSystemLoader, select_autoescape
from panel.io.application import Application
from panel.io.handlers import FunctionHandler
from tornado.httputil import HTTPServerRequest

from dashboard.access.access import Access
from dashboard.names import metric_names
from dashboard.pages.alerts import STATES, AlertsPage
from dashboard.pages.compare import ComparePage
from dashboard.pages.explore import ExplorePage, explore_variables
from dashboard.pages.fleet import FleetPage
from dashboard.pages.health import HealthPage
from dashboard.pages.model import ModelPage
from dashboard.pages.state import Services
from dashboard.scope import Scope
from dashboard.security import nonce_of
from dashboard.widgets.specs import CHARTS, MULTIPLES, OVERLAY, OVERLAY_LABELS, SECTIONS, WIDE, WINDOW_OF

ASSETS = Path(__file__).parent.parent / "assets"
_IMPORTED = re.compile(r'^import .* from "\./(.+\.js)";$', re.MULTILINE)


def assets_route() -> str:
    """Return where assets are served: with their digest in the address, so that a browser never mixes those of two versions."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(ASSETS.iterdir())))
    return f"assets-{digest.hexdigest()[:12]}"


@cache
def modules_of(page: str) -> list[str]:
    """Return a page's own script and all that it imports, directly or not: a browser that is told of them loads all at once."""
    found = [f"{page}.js"]
    for name in found:  # grows as it is read
        found += [each for each in _IMPORTED.findall((ASSETS / name).read_text()) if each not in found]
    return found


class PageApplication(Application):
    """Makes the page that the address names: `?page=compare`, `explore` or `health`, `?model=...`, or else the fleet's."""

    def __init__(self, services: Services, access: Access, *, assets: str, plots: str) -> None:
        super().__init__(FunctionHandler(self._fill))  # type: ignore[no-untyped-call]
        self._services = services
        self._access = access
        self._assets = assets
        self._plots = plots
        self._templates = Environment(loader=FileSystemLoader(ASSETS), autoescape=select_autoescape(("html",)))

    def process_request(self, request: HTTPServerRequest) -> dict[str, Any]:
        """Return what the session's signed token says of the request: who it is from, and the nonce."""
        user = self._access.user_of(request)
        told: dict[str, Any] = {"user": user.name, "operator": user.operator} if user else {}
        return {**super().process_request(request), **told, "nonce": nonce_of(request)}

    def _fill(self, doc: Document) -> None:
        assert doc.session_context is not None
        scope = _scope(doc.session_context)
        # Told by the page itself, in its own words.
        doc.config.update(reconnect_session=False, notify_connection_status=False, notifications=None)
        page = _argument(doc.session_context, "page")
        if page == "explore":
            ExplorePage(doc, self._services, scope.model if scope else None)
            self._dress(doc, "explore", explore_variables(self._services))
        elif page == "compare":
            ComparePage(doc, self._services, scope.model if scope else None)
            self._dress(doc, "compare", {"metrics": metric_names()})
        elif scope is None and page == "alerts":
            AlertsPage(doc, self._services)
            self._dress(doc, "alerts", {"states": STATES})
        elif scope is None and page == "health":
            self._dress(doc, "health", {"facts": HealthPage(doc, self._services).facts})
        elif scope is None:
            FleetPage(doc, self._services)
            self._dress(doc, "fleet", {})
        else:
            model = ModelPage(doc, self._services, scope, _argument(doc.session_context, "feature") or "")
            self._dress(doc, "model", {**_model_variables(scope), "hidden": model.hidden, "known": model.known, "plots": self._plots})

    def _dress(self, doc: Document, name: str, variables: Mapping[str, object]) -> None:
        doc.template = self._templates.get_template(f"{name}.html")
        assert doc.session_context is not None
        told: Mapping[str, Any] = getattr(doc.session_context, "token_payload")  # noqa: B009 - Bokeh's types lack it
        doc.template_variables.update(
            user=told.get("user", ""),
            operator=told.get("operator", False),
            nonce=told["nonce"],
            signs_out=self._access.has_login_page,
        )
        doc.template_variables.update(
            page=name,
            modules=modules_of(name),
            assets=self._assets,
            product=self._services.settings.title,
            bokeh_version=bokeh.__version__,
            **variables,
        )


def _scope(context: SessionContext) -> Scope | None:
    """Return what the address `?model=...&version=...&segment=...` names; None without a model."""
    found = {name: _argument(context, name) for name in ("model", "version", "segment")}
    values = {name: value for name, value in found.items() if value is not None}
    return Scope(**values) if "model" in values else None


def _argument(context: SessionContext, name: str) -> str | None:
    arguments: Mapping[str, list[bytes]] = getattr(context, "request").arguments  # noqa: B009 - Bokeh's types lack it
    return arguments[name][0].decode("utf-8", "replace") if arguments.get(name) else None


def _model_variables(scope: Scope) -> dict[str, object]:
    charts = [
        {
            "name": spec.name,
            "sources": spec.sources,
            "style": spec.style,
            "height": spec.height,
            "empty": spec.empty,
            "floor": spec.floor,
            "judged": spec.judged,
            "fan": spec.fan,
            "steady": spec.steady,
            "heat": spec.heat,
            "sums": spec.sums,
            "shares": spec.shares,
            "lines": [
                {"key": line.key, "label": line.label, "slot": line.slot, "band": line.band, "product": line.product} for line in spec.lines
            ],
        }
        for spec in CHARTS
    ]
    by_name = {spec.name: spec for spec in CHARTS}
    sections = [
        {
            "id": category.value,
            "title": title,
            "columns": [[by_name[name] for name in column] for column in columns],
            "wide": [by_name[name] for name in WIDE.get(category, ())],
        }
        for category, (title, columns) in SECTIONS.items()
    ]
    return {
        **scope._asdict(),
        "charts": charts,
        "sections": sections,
        "sources": [*WINDOW_OF, OVERLAY],
        "overlay": by_name[OVERLAY],
        "multiples": [by_name[name] for name in MULTIPLES],
        "overlay_metrics": list(OVERLAY_LABELS.items()),
    }
