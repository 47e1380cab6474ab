"""Who is let in, what they may do, and what is not started at all."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import RequestHandler

from control.config import load_config
from dashboard.access.access import Access, User
from dashboard.access.attempts import Attempts
from dashboard.access.guard import Guard
from dashboard.access.safety import require_safe
from dashboard.access.secret import read_or_make_secret, secret_file
from dashboard.access.settings import AccessSettings
from dashboard.access.users import Users, users_file
from dashboard.settings import DashboardSettings
from schemas.errors import ConfigurationError

HERE = DashboardSettings()
OAUTH: dict[str, Any] = {"login": "oauth", "oauth_provider": "github", "oauth_key": "k", "oauth_secret": "hush", "viewers": ["*"]}


def request(path: str = "/", method: str = "GET", *, peer: str = "127.0.0.1", **headers: str | list[str]) -> HTTPServerRequest:
    """A request as Tornado gives it; in names of headers `_` stands for `-`."""
    given = HTTPHeaders()
    for name, value in headers.items():
        for each in [value] if isinstance(value, str) else value:
            given.add(name.replace("_", "-"), each)
    given.setdefault("Host", "127.0.0.1:5006")
    context = SimpleNamespace(remote_ip=peer, protocol="http")
    connection = SimpleNamespace(context=context)
    line = RequestStartLine(method, path, "HTTP/1.1")
    return HTTPServerRequest(start_line=line, headers=given, connection=cast("Any", connection))


def access(home: Path, settings: DashboardSettings = HERE, **given: Any) -> Access:
    return Access(home, settings, AccessSettings(**given))


@pytest.mark.parametrize(
    ("settings", "given", "says"),
    [
        ({"host": "0.0.0.0"}, {}, "whoever reaches 0.0.0.0 would see the dashboard"),
        ({"host": "::"}, {}, "whoever reaches ::"),
        ({"host": "tower.example.com"}, {}, "set access.login to password, proxy or oauth"),
        ({"allowed_origins": ["tower.example.com"]}, {}, "whoever reaches tower.example.com"),
        ({}, {"login": "pasword"}, "'pasword' is none of none, password, proxy, oauth"),
        ({}, {"login": "proxy", "proxy_addresses": ["proxy"]}, "'proxy' is no address"),
        ({}, {"annotation_token": "short"}, "less than 16 characters"),
        ({}, {**OAUTH, "oauth_provider": "pam"}, "none of Panel's"),
        ({}, {**OAUTH, "oauth_secret": ""}, "TOWER_ACCESS__OAUTH_SECRET"),
        ({}, {**OAUTH, "oauth_secret_file": "/nowhere", "oauth_secret": ""}, "/nowhere: No such file"),
        ({}, {**OAUTH, "oauth_provider": "generic"}, "access.oauth_authorize_url"),
        ({}, {**OAUTH, "oauth_provider": "azurev2", "oauth_server": "common"}, "names no tenant"),
        ({}, {**OAUTH, "viewers": []}, "nobody whom the provider lets in may view"),
    ],
)
def test_what_strangers_could_reach_or_nobody_is_not_started(settings: dict[str, Any], given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)) as error:
        require_safe(DashboardSettings(**settings), AccessSettings(**given))
    assert error.value.mend
    assert "hush" not in str(error.value) + repr(AccessSettings(**given))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_on_this_machine_alone_nobody_signs_in_and_the_only_user_is_an_operator(host: str, tmp_path: Path) -> None:
    settings = DashboardSettings(host=host)
    require_safe(settings, AccessSettings())
    assert access(tmp_path, settings).user_of(request()) == User("", operator=True)
    everybody = access(tmp_path, DashboardSettings(host="0.0.0.0"), allow_anyone=True)
    assert everybody.user_of(request()) == User("", operator=False)
    assert list(tmp_path.iterdir()) == []  # it may be read-only


def test_a_secret_is_told_by_no_message(tmp_path: Path) -> None:
    file = tmp_path / "tower.toml"
    file.write_text('[access]\noauth_secret = ["hush"]\n')
    with pytest.raises(ConfigurationError, match=re.escape("access.oauth_secret: expected text")) as error:
        load_config(root=tmp_path, environment={})
    assert "hush" not in str(error.value)
    file.write_text("")
    config = load_config(root=tmp_path, environment={"TOWER_ACCESS__OAUTH_SECRET": "hush", "TOWER_ACCESS__LOGIN_LIFETIME": "2d"})
    assert (config.access.oauth_secret, config.access.login_lifetime_ms) == ("hush", 2 * 86_400_000)
    assert "hush" not in repr(config)


def test_a_believed_proxy_names_the_user_and_nobody_else_does(tmp_path: Path) -> None:
    doors = access(tmp_path, login="proxy", operators=["ann@example.com", "group:sre"], proxy_addresses=["10.0.0.0/24"])
    assert doors.user_of(request(peer="10.0.0.9", X_Forwarded_User="ann@example.com")) == User("ann@example.com", operator=True)
    assert doors.user_of(request(peer="10.0.0.9", X_Forwarded_User="bob")) == User("bob", operator=False)
    assert doors.user_of(request(peer="10.0.0.9", X_Forwarded_User="bob", X_Forwarded_Groups="dev, sre")) == User("bob", operator=True)
    assert doors.user_of(request(peer="10.0.0.9", X_Forwarded_User="group:sre")) == User("group:sre", operator=False)
    assert doors.user_of(request(peer="10.0.0.9")) is None
    assert doors.user_of(request(peer="10.0.0.9", X_Forwarded_User=["mallory", "bob"])) is None
    assert doors.user_of(request(peer="127.0.0.1", X_Forwarded_User="ann@example.com")) is None
    assert access(tmp_path, login="proxy", viewers=["*@example.com"]).user_of(request(X_Forwarded_User="eve@example.org")) is None


def test_the_guard_refuses_other_sites_and_other_names(tmp_path: Path) -> None:
    guard = Guard(access(tmp_path, annotation_token="t" * 20), ["127.0.0.1:5006", "tower.example.com:80"], "assets-1")

    def status(each: HTTPServerRequest) -> int | None:
        refusal = guard.refusal(each)
        return refusal and refusal.status

    assert status(request()) is None
    assert status(request(Host="tower.example.com")) is None
    assert status(request(Host="rebound.example.org")) == 421
    assert status(request("/health", Host="10.1.1.1:5006")) is None
    assert status(request("/x", "POST", Origin="http://127.0.0.1:5006")) is None
    for origin in ("http://evil.example.org", "null", "http://127.0.0.1:9999", "http://127.0.0.1:5006.evil.example.org"):
        assert status(request("/x", "POST", Origin=origin)) == 403
        assert status(request("/x", "DELETE", Origin=origin)) == 403
        assert status(request("/x", "POST", Origin=origin, Content_Type="application/json")) == 403
    for origin in ("http://[", "null", "", "http://127.0.0.1:5006.example.org", "http://evil@127.0.0.1:5006"):
        assert status(request("/x", "POST", Origin=origin)) == 403
    assert status(request("/x", "POST", Content_Type="application/x-www-form-urlencoded")) == 403
    assert status(request("/x", "POST", Content_Type="application/json; charset=utf-8")) is None
    assert status(request("/annotations", "POST", Authorization=f"Bearer {'t' * 20}")) is None
    shut = Guard(access(tmp_path, login="password", annotation_token="t" * 20), ["127.0.0.1:5006"], "assets-1")
    for path, method, token, expected in (
        ("/annotations", "POST", "t" * 20, None),
        ("/annotations", "POST", "u" * 20, 401),
        ("/annotations", "GET", "t" * 20, 401),
        ("/", "GET", "t" * 20, 401),
        ("/query", "GET", "t" * 20, 401),
    ):
        refusal = shut.refusal(request(path, method, Authorization=f"Bearer {token}", Content_Type="application/json"))
        assert (refusal and refusal.status) == expected


def test_what_a_proxy_says_of_https_and_of_the_client_is_believed_of_proxies_alone(tmp_path: Path) -> None:
    doors = access(tmp_path)
    near, far = (request(peer=peer, X_Forwarded_Proto="https", X_Forwarded_For="1.1.1.1, 8.8.8.8") for peer in ("127.0.0.1", "9.9.9.9"))
    guard = Guard(doors, ["127.0.0.1:5006"], "assets")
    assert guard.match(near) is None
    assert guard.match(far) is None
    assert (near.protocol, far.protocol) == ("https", "http")
    assert [doors.client_address(each) for each in (near, far)] == ["8.8.8.8", "9.9.9.9"]


class Browser:
    """Keeps the cookie that `sign_in` gives."""

    def __init__(self, doors: Access) -> None:
        self.doors = doors
        self.cookie, self.options = "", dict[str, Any]()
        self.request = request()

    def set_cookie(self, name: str, value: bytes, **options: Any) -> None:
        self.cookie, self.options = f'{name}="{value.decode()}"', options

    def clear_cookie(self, name: str) -> None:
        pass

    def user(self, doors: Access | None = None) -> User | None:
        self.request = request(Cookie=self.cookie)
        return (doors or self.doors).user_of(self.request)


def handler(browser: Browser) -> RequestHandler:
    return cast("RequestHandler", browser)


def test_a_login_ends_with_its_time_its_password_its_user_and_when_one_signs_out(tmp_path: Path) -> None:
    users = Users(tmp_path)
    users.set("ann", "a good password", operator=True)
    doors = access(tmp_path, login="password")
    browser = Browser(doors)
    doors.sign_in(handler(browser), "ann", [])
    assert browser.options == {"expires_days": 0.5, "httponly": True, "samesite": "Lax", "secure": False}
    browser.request.protocol = "https"
    doors.sign_in(handler(browser), "ann", [])
    assert browser.options["secure"] is True
    assert browser.user() == User("ann", operator=True)
    assert browser.user(access(tmp_path, login="password")) == User("ann", operator=True)  # a restart
    assert browser.user(access(tmp_path, login="password", login_lifetime_ms=-2_000)) is None
    assert browser.user(access(tmp_path / "other", login="password")) is None
    assert browser.user(access(tmp_path, **{**OAUTH, "viewers": ["ann"]})) is None
    stolen = Browser(doors)
    stolen.cookie = browser.cookie
    doors.sign_out(handler(browser))
    assert stolen.user() is None
    assert stolen.user(access(tmp_path, login="password")) is None  # after a restart, too
    doors.sign_in(handler(browser), "ann", [])
    users.set("ann", "another password", operator=False)
    assert browser.user() is None
    doors.sign_in(handler(browser), "ann", [])
    assert browser.user() == User("ann", operator=False)
    users.remove("ann")
    assert browser.user() is None


def test_passwords_are_kept_as_hashes_for_the_owners_eyes(tmp_path: Path) -> None:
    users = Users(tmp_path)
    users.set("ann", "a good password", operator=False)
    assert users.matches("ann", "a good password")
    assert not users.matches("ann", "a good passwore")
    assert not users.matches("bob", "a good password")
    assert "good" not in users_file(tmp_path).read_text()
    assert stat.S_IMODE(users_file(tmp_path).stat().st_mode) == 0o600


def test_the_secret_of_a_home_is_made_once_and_must_be_the_owners_alone(tmp_path: Path) -> None:
    secret = read_or_make_secret(tmp_path)
    assert len(secret) == 32
    assert read_or_make_secret(tmp_path) == secret
    assert stat.S_IMODE(secret_file(tmp_path).stat().st_mode) == 0o600
    assert [each.name for each in secret_file(tmp_path).parent.iterdir()] == ["secret"]
    secret_file(tmp_path).chmod(0o644)
    with pytest.raises(ConfigurationError, match="can be read by others"):
        read_or_make_secret(tmp_path)


def test_failed_logins_are_slowed_down_by_address_and_by_name() -> None:
    clock = [1_000.0]
    attempts = Attempts(lambda: clock[0])
    assert [attempts.begin("1.1.1.1", f"user {turn}") for turn in range(10)] == [0.0] * 10
    assert attempts.begin("1.1.1.1", "ann") == 300.0
    clock[0] += 100
    assert attempts.begin("1.1.1.1", "ann") == 200.0
    assert attempts.begin("2.2.2.2", "ann") == 0.0
    for turn in range(19):
        assert attempts.begin(f"3.3.3.{turn}", "ann") == 0.0
    assert attempts.begin("4.4.4.4", "ann") == 300.0
    assert attempts.begin("4.4.4.4", "bob") == 0.0
    attempts.succeeded("4.4.4.4", "bob")
    clock[0] += 300
    assert attempts.begin("1.1.1.1", "ann") == 0.0
    for turn in range(30):
        assert attempts.begin("5.5.5.5", "cat") == 0.0, turn
        attempts.succeeded("5.5.5.5", "cat")
