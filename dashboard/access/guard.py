"""One rule before all routes: what comes from a stranger, from another site or under another name is refused, whatever it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from bokeh.server.tornado import BokehTornado
from bokeh.server.util import check_allowlist
from bokeh.server.views.autoload_js_handler import AutoloadJsHandler
from bokeh.server.views.metadata_handler import MetadataHandler
from bokeh.util.token import check_token_signature, get_token_payload
from panel.io.server import ComponentResourceHandler
from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import RequestHandler

from dashboard.access.access import Access, User
from dashboard.access.login import LoginPage

_SAFE = ("GET", "HEAD", "OPTIONS")
OPEN = ("/health", "/login", "/login/oauth", "/logout")
"""Paths that a stranger may ask for; with the assets, which are the same for everybody. `/health` says less to them."""

_FOR_SERVICES = "/annotations"
"""What the token of a service is good for, by POST."""

_SESSION_ARGUMENTS = ("bokeh-session-id", "bokeh-token")
"""By these Bokeh would show one person's page to another, whoever made up the link; ours are all made anew."""
_NEVER_SERVED = (AutoloadJsHandler, MetadataHandler, ComponentResourceHandler)
"""For pages of other sites, which read a session's token there, and for components that we do not have."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused; `login` has the browser sent to where one signs in."""

    status: int
    text: str
    login: bool = False


class Guard(Matcher):
    """Matches what is refused. `origins` are the `host:port` by which browsers reach the dashboard."""

    def __init__(self, access: Access, origins: list[str], assets: str, page: LoginPage | None = None) -> None:
        self._access = access
        self._page = page
        self._origins = origins
        self._assets = f"/{assets}/"

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return what the refusing handler is made with, or None for what is let through."""
        if request.headers.get("X-Forwarded-Proto") == "https" and self._access.by_proxy(request):
            request.protocol = "https"
        refusal = self.refusal(request)
        return None if refusal is None else {"target_kwargs": {"refusal": refusal, "page": self._page}}

    def refusal(self, request: HTTPServerRequest) -> Refusal | None:
        """Return why a request is refused, or None."""
        access = self._access
        if request.path == "/health":
            return None
        # Else a site could give its own name our address, and read all as if it were its own.
        if not self._is_ours(request.host):
            return Refusal(421, f"{request.host} is no name of this dashboard - add it to dashboard.allowed_origins")
        if request.method not in _SAFE and not self._is_meant(request):
            return Refusal(403, "This comes from another site, or does not say from where")
        if access.settings.login == "proxy" and not access.by_proxy(request):
            return Refusal(403, f"{request.remote_ip} is none of the proxies that name the user - see access.proxy_addresses")
        if request.path in OPEN or request.path.startswith(self._assets):
            return None
        if request.path == _FOR_SERVICES and request.method == "POST" and access.has_token(request):
            return None
        user = access.user_of(request)
        if user is None:
            return Refusal(401, "You are not signed in, or may not view this dashboard", login=access.has_login_page)
        if any(name in request.query_arguments for name in _SESSION_ARGUMENTS) or "Bokeh-Session-Id" in request.headers:
            return Refusal(403, "A page makes its session itself - open the address without it")
        if request.path == "/ws" and not self._is_session_of(request, user):
            return Refusal(403, "There is no such session of yours")
        return None

    def _is_session_of(self, request: HTTPServerRequest, user: User) -> bool:
        """Say whether the live connection is that of a page which was made for this user."""
        token = request.headers.get("Sec-WebSocket-Protocol", "").rpartition(",")[2].strip()
        try:
            signed = check_token_signature(token, signed=True, secret_key=self._access.session_key.encode())
            return signed and get_token_payload(token).get("user") == user.name
        except (ValueError, KeyError, TypeError):  # what Bokeh makes of one that is no token at all
            return False

    def _is_meant(self, request: HTTPServerRequest) -> bool:
        """Say whether what changes something was asked for by a page of ours, or by a program.

        A browser names the origin of whatever changes something, and sends JSON to another site after having asked it alone.
        """
        origin = request.headers.get("Origin")
        if origin is not None:
            try:
                return self._is_ours(urlsplit(origin).netloc)
            except ValueError:
                return False
        is_json = request.headers.get("Content-Type", "").partition(";")[0].strip() == "application/json"
        return is_json or request.method in ("PUT", "DELETE") or self._access.has_token(request)

    def _is_ours(self, host: str) -> bool:
        return check_allowlist(host.lower(), self._origins)


class Refuse(RequestHandler):
    """Answers what is refused: who wants a page is sent to where one signs in, or reads why on a page; all else learns it as text."""

    def initialize(self, refusal: Refusal, page: LoginPage) -> None:
        """Take the reason, and the page to say it on."""
        self._refusal = refusal
        self._page = page

    def prepare(self) -> None:
        """Answer; nothing else of the request is looked at."""
        self.set_header("Cache-Control", "no-store")
        # Only 401: to others the page's own style would be refused, too.
        if self._refusal.status == 401 and self.request.path == "/" and self.request.method == "GET":
            if self._refusal.login:
                self.redirect("login" + (f"?after={quote(self.request.query, safe='')}" if self.request.query else ""))
            else:
                self._page.answer(self, self._refusal.status, error=self._refusal.text + ".")
            return
        self.set_status(self._refusal.status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(self._refusal.text + ".\n")


def guard(application: BokehTornado, access: Access, assets: str, page: LoginPage) -> None:
    """Put the rule before all routes of an application, and take out what it does not serve."""
    routes = application.wildcard_router.rules
    routes[:] = [rule for rule in routes if not (isinstance(rule.target, type) and issubclass(rule.target, _NEVER_SERVED))]
    origins = sorted(application.websocket_origins)
    application.default_router.rules.insert(0, Rule(Guard(access, origins, assets, page), Refuse))


def end_connections(application: BokehTornado, access: Access) -> None:
    """Close the live connections of whoever is not signed in any more; their pages then load themselves again, and are refused."""
    for connection in list(application._clients):  # Bokeh offers no other way to them
        if access.user_of(connection._socket.request) is None:
            connection._socket.close()
