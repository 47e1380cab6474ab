"""Signing in and out: pages of the dashboard's own, without any script of Bokeh's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, select_autoescape
from tornado.web import RequestHandler

from dashboard.access.access import Access
from dashboard.access.attempts import Attempts

_LONGEST_NAME, _LONGEST_PASSWORD = 128, 1_024
_PROVIDER_NAMES = {"github": "GitHub", "gitlab": "GitLab", "google": "Google", "azurev2": "Microsoft", "okta": "Okta", "auth0": "Auth0"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Such a page needs less than one with charts."""


class LoginPage:
    """The page, with what went wrong if something did."""

    def __init__(self, folder: Path, *, access: Access, assets: str, title: str) -> None:
        self._access = access
        self._variables = {"assets": assets, "product": title, "login": access.settings.login}
        provider = access.settings.oauth_provider
        self._variables["provider"] = _PROVIDER_NAMES.get(provider, "your account")
        self._template = Environment(loader=FileSystemLoader(folder), autoescape=select_autoescape(("html",))).get_template("login.html")

    def answer(self, handler: RequestHandler, status: int = 200, *, error: str = "", name: str = "") -> None:
        """Answer a request with it."""
        after = handler.get_argument("after", "")
        handler.set_status(status)
        handler.set_header("Content-Type", "text/html; charset=utf-8")
        handler.set_header("Cache-Control", "no-store")
        handler.set_header("Content-Security-Policy", POLICY)
        base = "../" if handler.request.path.count("/") > 1 else ""
        handler.finish(self._template.render(self._variables, base=base, error=error, name=name, query=_query(after=after)))


def _query(**values: str) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items() if value)


class LoginHandler(RequestHandler):
    """Shows the page, and signs in who knows a password. `after` is the query of the page to go on to, so it is always one of ours."""

    def initialize(self, access: Access, page: LoginPage, attempts: Attempts, executor: Executor) -> None:
        """Take what it works with."""
        self._access = access
        self._page = page
        self._attempts = attempts
        self._executor = executor

    def get(self) -> None:
        """Show the page, unless one is signed in."""
        if self._access.user_of(self.request) is not None:
            self._go_on()
            return
        self._page.answer(self)

    async def post(self) -> None:
        """Sign in."""
        if self._access.settings.login != "password":
            self.send_error(405)
            return
        name, password = self.get_body_argument("name", ""), self.get_body_argument("password", "", strip=False)
        address = self._access.client_address(self.request)
        wait = self._attempts.begin(address, name[:_LONGEST_NAME])
        if wait:
            self.set_header("Retry-After", str(int(wait) + 1))
            minutes = int(wait // 60) + 1
            self._page.answer(self, 429, error=f"Too many failed attempts. Try again in {minutes} min.", name=name)
            return
        right = False
        if name and len(name) <= _LONGEST_NAME and len(password) <= _LONGEST_PASSWORD:
            # A hash takes longer than the loop may be held.
            check = partial(self._access.users.matches, name, password)
            right = await asyncio.get_running_loop().run_in_executor(self._executor, check)
        if not right or not self._access.may_view(name, []):
            self._page.answer(self, 401, error="This name and password are not known.", name=name)
            return
        self._attempts.succeeded(address, name)
        self._access.sign_in(self, name, [])
        self._go_on()

    def _go_on(self) -> None:
        after = self.get_argument("after", "")
        self.redirect("./" + (f"?{quote(after, safe='=&%+*:.,~-')}" if after else ""), status=303)


class LogoutHandler(RequestHandler):
    """Signs out; `ended` closes the live connections."""

    def initialize(self, access: Access, ended: Callable[[], None]) -> None:
        """Take what it works with."""
        self._access = access
        self._ended = ended

    def post(self) -> None:
        """Sign out, and show where one signs in."""
        self._access.sign_out(self)
        self._ended()
        self.redirect("login", status=303)
