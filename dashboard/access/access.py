"""Who a request is from, and what they may do."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler, create_signed_value, decode_signed_value

from dashboard.access.safety import beyond_this_machine
from dashboard.access.secret import derived, read_or_make_secret, secret_file
from dashboard.access.settings import AccessSettings
from dashboard.access.users import Users
from dashboard.settings import DashboardSettings
from schemas.errors import TowerError
from schemas.files import replace_file

_DAY_MS = 86_400_000
_GROUP = "group:"
SERVICE = "service"
"""The user of whom only a token is known."""


@dataclass(frozen=True, slots=True)
class User:
    """`name` is empty where nobody signs in. An operator annotates, acknowledges and silences."""

    name: str
    operator: bool


class Login(msgspec.Struct, frozen=True):
    """What a login's cookie holds; `password` is the beginning of the password's hash, which ends the login when it is changed."""

    id: str
    name: str
    groups: list[str]
    password: str = ""


class Access:
    """Knows the users. Its home holds what they are signed with, and with `password` who they are."""

    def __init__(self, home: Path, settings: DashboardSettings, access: AccessSettings) -> None:
        self.settings = access
        self.users = Users(home)
        # Where nobody signs in there is nothing that should outlast a restart, and the home may be read-only.
        secret = secrets.token_bytes(32) if access.login in ("none", "proxy") else read_or_make_secret(home)
        self.session_key = derived(secret, "sessions")
        # Who is ann by a password need not be the ann of a provider.
        self.cookie_key = derived(secret, f"cookies {access.login} {access.oauth_provider}")
        # A browser sends the cookies of all ports of a host.
        self.cookie = f"tower-login-{settings.port}"
        self._anyone = User("", operator=not beyond_this_machine(settings))
        self._proxies = [ipaddress.ip_network(address, strict=False) for address in access.proxy_addresses]
        self._ended_file = home / "dashboard" / "ended-logins.json"
        self._ended = _read_ended(self._ended_file) if self.has_login_page else {}

    @property
    def has_login_page(self) -> bool:
        """Whether one signs in here, rather than nowhere or at a proxy."""
        return self.settings.login in ("password", "oauth")

    def user_of(self, request: HTTPServerRequest) -> User | None:
        """Return who sent a request, and None for a stranger or somebody who may not view."""
        if self.settings.login == "none":
            return self._anyone
        if self.settings.login == "proxy":
            return self._named_by_proxy(request)
        login = self.login_of(request)
        return self._user(login) if login else None

    def has_token(self, request: HTTPServerRequest) -> bool:
        """Say whether a request bears the token of a service."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        token = self.settings.annotation_token
        return bool(token) and scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())

    def by_proxy(self, request: HTTPServerRequest) -> bool:
        """Say whether a request came through a proxy whose headers are believed."""
        try:
            peer = ipaddress.ip_address((request.remote_ip or "").partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(peer, "ipv4_mapped", None)
        return any((mapped or peer) in network for network in self._proxies)

    def client_address(self, request: HTTPServerRequest) -> str:
        """Return the address that a request came from, as a believed proxy tells it."""
        forwarded = request.headers.get("X-Forwarded-For", "") if self.by_proxy(request) else ""
        return forwarded.rpartition(",")[2].strip() or request.remote_ip or ""

    def may_view(self, name: str, groups: list[str]) -> bool:
        """Say whether somebody who is signed in may view."""
        return not self.settings.viewers or _listed(self.settings.viewers, name, groups) or self._operates(name, groups)

    def sign_in(self, handler: RequestHandler, name: str, groups: list[str]) -> None:
        """Give the browser that asks the cookie of a login."""
        entry = self.users.all().get(name) if self.settings.login == "password" else None
        login = Login(secrets.token_hex(16), name, groups, entry.hash[:16] if entry else "")
        value = create_signed_value(self.cookie_key, self.cookie, msgspec.json.encode(login))
        days = self.settings.login_lifetime_ms / _DAY_MS
        secure = handler.request.protocol == "https"
        handler.set_cookie(self.cookie, value, expires_days=days, httponly=True, samesite="Lax", secure=secure)

    def sign_out(self, handler: RequestHandler) -> None:
        """End the login of the browser that asks, also for whoever has its cookie."""
        login = self.login_of(handler.request)
        handler.clear_cookie(self.cookie)
        if login is not None:
            now = time.time()
            self._ended = {each: until for each, until in self._ended.items() if until > now}
            self._ended[login.id] = now + self.settings.login_lifetime_ms / 1000
            replace_file(self._ended_file, msgspec.json.encode(self._ended))

    def login_of(self, request: HTTPServerRequest) -> Login | None:
        """Return a valid login, or None."""
        cookie = request.cookies.get(self.cookie)
        days = self.settings.login_lifetime_ms / _DAY_MS
        value = decode_signed_value(self.cookie_key, self.cookie, cookie.value, max_age_days=days) if cookie else None
        if value is None:
            return None
        login = msgspec.json.decode(value, type=Login)
        return None if login.id in self._ended else login

    def _user(self, login: Login) -> User | None:
        operator = self._operates(login.name, login.groups)
        if self.settings.login == "password":
            entry = self.users.all().get(login.name)
            if entry is None or not entry.hash.startswith(login.password or "-"):
                return None
            operator |= entry.operator
        return User(login.name, operator) if self.may_view(login.name, login.groups) else None

    def _named_by_proxy(self, request: HTTPServerRequest) -> User | None:
        names = request.headers.get_list(self.settings.user_header)
        # Two names: the proxy adds its own to one that the browser sent.
        if not self.by_proxy(request) or len(names) != 1 or not names[0].strip():
            return None
        name = names[0].strip()
        lists = request.headers.get_list(self.settings.groups_header)
        groups = [group.strip() for group in lists[0].split(",")] if len(lists) == 1 else []
        return User(name, self._operates(name, groups)) if self.may_view(name, groups) else None

    def _operates(self, name: str, groups: list[str]) -> bool:
        return _listed(self.settings.operators, name, groups)


def _read_ended(file: Path) -> dict[str, float]:
    """Return the logins that were ended before their time, and until when (seconds since 1970) that must be known."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, float])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        raise TowerError(
            f"{file} cannot be read: {error}", f"remove it and {secret_file(file.parent.parent)}, which signs out everybody"
        ) from error


def _listed(patterns: list[str], name: str, groups: list[str]) -> bool:
    return any(
        any(fnmatchcase(group, pattern.removeprefix(_GROUP)) for group in groups)
        if pattern.startswith(_GROUP)
        else fnmatchcase(name, pattern)
        for pattern in patterns
    )
