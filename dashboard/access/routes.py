"""The routes of signing in and out."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tornado.web import RequestHandler

from dashboard.access.access import Access
from dashboard.access.attempts import Attempts
from dashboard.access.login import LoginHandler, LoginPage, LogoutHandler

_HASHES_AT_ONCE = 2
"""Each takes a core and 32 MB."""


def login_routes(access: Access, page: LoginPage, ended: Callable[[], None]) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return them; none where one does not sign in here. `ended` closes the connections of who has signed out."""
    if not access.has_login_page:
        return []
    executor = ThreadPoolExecutor(_HASHES_AT_ONCE, thread_name_prefix="password")
    arguments = {"access": access, "page": page, "attempts": Attempts(time.monotonic), "executor": executor}
    routes: list[tuple[str, type[RequestHandler], dict[str, Any]]] = [
        ("/login", LoginHandler, arguments),
        ("/logout", LogoutHandler, {"access": access, "ended": ended}),
    ]
    if access.settings.login == "oauth":
        # Panel's handlers bring much that no other login needs.
        from dashboard.access.oauth import PATH, configure_panel, oauth_handler

        configure_panel(access.settings, access.cookie_key)
        routes.append((PATH, oauth_handler(access, page), {}))
    return routes
