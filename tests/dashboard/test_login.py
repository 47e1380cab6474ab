"""Signing in to a real server with a real browser, and what a stranger gets from it: nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from dashboard.access.users import Users
from schemas.kafka import KafkaSettings
from tests.dashboard.browsing import barriers, wait_ready
from tests.dashboard.conftest import Visit
from tests.dashboard.provider import SECRET, Provider, running
from tests.dashboard.serving import Server
from tests.waiting import wait_until

PASSWORD = "correct horse battery"
NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:1")
"""None of these tests needs a Kafka."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard to which one signs in by a password."""
    made = Server(NOWHERE, tmp_path_factory.mktemp("login"), access={"login": "password"})
    users = Users(made.home)
    users.set("ann", PASSWORD, operator=True)
    users.set("bob", PASSWORD, operator=False)
    made.start(wait_live=False)
    yield made
    made.stop()
    assert "Traceback" not in made.log()
    assert PASSWORD not in made.log()


def example(route: str) -> str:
    """A path that matches a route's pattern."""
    path = (
        re.sub(r"\(\?![^)]*\)", "", route.rstrip("$"))
        .replace("(.*)", "js/bokeh.min.js")
        .replace("([^/]+)", "x")
        .replace("/?", "/")
        .replace("\\", "")
    )
    assert re.fullmatch(route, path), route
    return path


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def logged_in(server: Server, name: str) -> requests.Session:
    session = requests.Session()
    answer = session.post(
        server.url + "login", {"name": name, "password": PASSWORD}, headers={"Origin": server.url.rstrip("/")}, allow_redirects=False
    )
    assert answer.status_code == 303
    return session


def test_a_stranger_gets_nothing_by_any_route(server: Server) -> None:
    routes = (server.folder / "routes").read_text().splitlines()
    assert {"/ws", "/health", "/login", "/autoload.js", "/metadata"} <= {route.rstrip("$") for route in routes}
    assert any(route.startswith("/plots-") for route in routes)
    opened = []
    for route in routes:
        for method in ("GET", "POST", "DELETE"):
            answer = requests.request(method, server.url + example(route)[1:], headers={"Origin": server.url[:-1]}, allow_redirects=False)
            if answer.status_code not in (401, 302):
                opened.append((method, example(route), answer.status_code))
            assert answer.status_code != 302 or answer.headers["Location"].startswith("login")
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    login = [("GET", "/login", 200), ("DELETE", "/login", 405)]
    logout = [("GET", "/logout", 405), ("POST", "/logout", 303), ("DELETE", "/logout", 405)]
    health = [("GET", "/health", 200), ("POST", "/health", 405), ("DELETE", "/health", 405)]
    # Before assets there is a check of their own; they are the same for everybody.
    assert [each for each in opened if not each[1].startswith("/assets-")] == [*health, *login, *logout]
    elsewhere = requests.get(server.url, headers={"Host": "rebound.example.org"})
    assert (elsewhere.status_code, "rebound.example.org is no name of this dashboard" in elsewhere.text) == (421, True)
    assert set(requests.get(server.url + "health").json()) == {"status", "since"}
    assert "viewers" in logged_in(server, "bob").get(server.url + "health").json()


def test_the_live_connection_needs_a_login_an_origin_of_ours_and_a_signed_session(server: Server) -> None:
    session = logged_in(server, "bob")
    page = session.get(server.url).text
    [token] = set(re.findall(r'"token":"([^"]+)"', page))
    payload, signature = token.split(".", 1)
    forged = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    forged["session_id"] = "a" * 44
    cookie = "; ".join(f"{each.name}={each.value}" for each in session.cookies)
    made_up = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    assert requests.utils.unquote(cookie.partition("=")[2]) not in page

    async def first_message(token: str, **headers: str) -> object:
        """What the server says first, or the code with which it refuses."""
        request = HTTPRequest(server.url.replace("http", "ws") + "ws", headers=headers)
        try:
            connection = await websocket_connect(request, subprotocols=["bokeh", token])
        except HTTPClientError as error:
            return error.code
        message = await asyncio.wait_for(connection.read_message(), 20)
        connection.close()
        while await asyncio.wait_for(connection.read_message(), 20) is not None:  # until it is closed, and its socket with it
            pass
        return message

    def first_said(token: str, **headers: str) -> object:
        # In a thread of its own: that of the tests has Playwright's loop.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, first_message(token, **headers)).result()

    ours = {"Origin": server.url.rstrip("/")}
    assert first_said(token, **ours) == 401
    assert first_said(token, Cookie=cookie, Origin="http://evil.example.org") == 403
    for wrong in (made_up, f"{made_up}.{signature}", f"{payload}.{signature[:-2]}AA", "x"):
        assert first_said(wrong, Cookie=cookie, **ours) == 403
    ann = "; ".join(f"{each.name}={each.value}" for each in logged_in(server, "ann").cookies)
    assert first_said(token, Cookie=ann, **ours) == 403
    assert '"ACK"' in str(first_said(token, Cookie=cookie, **ours))


def test_nobody_is_shown_the_session_of_another_nor_another_site_the_token_of_one(server: Server) -> None:
    ann, bob = logged_in(server, "ann"), logged_in(server, "bob")
    [token] = set(re.findall(r'"token":"([^"]+)"', ann.get(server.url).text))
    payload = token.partition(".")[0]
    session_id = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["session_id"]
    for one in (ann, bob):
        assert one.get(server.page(**{"bokeh-session-id": session_id})).status_code == 403
        assert one.get(server.page(**{"bokeh-token": token})).status_code == 403
        assert one.get(server.url, headers={"Bokeh-Session-Id": session_id}).status_code == 403
    for path in ("autoload.js?bokeh-autoload-element=x", "autoloadXjs?bokeh-autoload-element=x", "metadata", "components/a/b/c"):
        answer = bob.get(server.url + path, headers={"Origin": "http://evil.example.org"})
        assert (answer.status_code, answer.headers.get("Access-Control-Allow-Origin")) == (404, None)


def test_one_signs_in_to_the_page_one_asked_for_and_out_of_all_that_are_open(visit: Visit, server: Server) -> None:
    visitor = visit()
    page = visitor.open(ready=False, page="health")
    assert page.url == server.url + "login?after=page%3Dhealth"
    assert barriers(page) == []
    sign_in(page, "ann", "not the password")
    page.get_by_role("alert").filter(has_text="This name and password are not known.").wait_for()
    visitor.complaints = [each for each in visitor.complaints if "401" not in each]  # what the browser itself says
    assert page.get_by_label("Name").input_value() == "ann"
    sign_in(page, "ann")
    wait_ready(page)
    assert page.url == server.url + "?page=health"
    assert page.locator(".account-name").inner_text() == "ann"
    [cookie] = visitor.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["name"]) == (True, "Lax", f"tower-login-{server.port}")
    assert page.evaluate("document.cookie") == ""
    other = visitor.open()
    assert other.locator("html[data-operator]").count() == 1
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    other.wait_for_url("**/login")  # its live connection was closed, so that it loaded itself again
    assert visitor.context.cookies() == []
    sign_in(other, "bob")
    wait_ready(other)
    assert other.locator("html[data-operator]").count() == 0


def test_sql_of_a_link_does_not_run_because_one_signs_in(visit: Visit) -> None:
    page = visit().open(ready=False, page="explore", sql="SELECT 42 AS n")
    sign_in(page, "bob")
    status = page.locator("#status")
    status.filter(has_text="Not run yet").wait_for()
    page.click("#run")
    status.filter(has_text="1 row in").wait_for()
    page.reload()
    status.filter(has_text="1 row in").wait_for()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "bob")
    wait_ready(page)
    assert page.evaluate("localStorage.getItem('tower.sql')") is None


def test_too_many_failed_logins_have_to_wait(server: Server) -> None:
    def attempt() -> requests.Response:
        return requests.post(
            server.url + "login",
            {"name": "mallory", "password": "guessed"},
            # The address that a proxy tells, so that the other tests' is not shut out.
            headers={"Origin": server.url.rstrip("/"), "X-Forwarded-For": "203.0.113.7"},
        )

    assert [attempt().status_code for _ in range(10)] == [401] * 10
    refused = attempt()
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 301
    assert "Too many failed attempts" in refused.text


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[tuple[Provider, Server]]:
    """An OAuth provider, and a dashboard to which one signs in there."""
    made = Server(NOWHERE, tmp_path)
    with running(Provider(f"{made.url}login/oauth")) as each:
        made.access = {**each.settings(), "viewers": ["*@example.com"], "operators": ["group:sre"]}
        made.start(wait_live=False)
        yield each, made
        made.stop()
    assert "Traceback" not in made.log()
    assert SECRET not in made.log()


def test_one_signs_in_at_an_oauth_provider(provider: tuple[Provider, Server], visit: Visit) -> None:
    there, here = provider
    visitor = visit()
    visitor.server = here
    there.claims = {"email": "ann@example.com", "email_verified": True, "groups": ["sre"]}
    page = visitor.open(ready=False, page="health")
    page.get_by_role("link", name="Sign in with your account").click()
    wait_ready(page)
    assert page.url == here.url + "?page=health"
    assert page.locator(".account-name").inner_text() == "ann@example.com"
    assert page.locator("html[data-operator]").count() == 1
    assert there.wrong == []
    # No token of the provider's is kept, here nor there.
    assert {cookie["name"] for cookie in visitor.context.cookies()} == {f"tower-login-{here.port}"}
    visitor.hosts.discard(f"127.0.0.1:{there.port}")
    for claims, why in (
        ({"email": "eve@example.org"}, "eve@example.org may not view this dashboard"),
        ({"email": "ann@example.com", "email_verified": False}, "the provider has not verified your email address"),
    ):
        there.claims = claims
        answer = requests.Session().get(here.url + "login/oauth")
        assert (answer.status_code, why in answer.text) == (403, True)
    # A state that this browser was not given.
    session = requests.Session()
    session.get(here.url + "login/oauth", allow_redirects=False)
    answer = session.get(here.url + "login/oauth?code=x&state=y")
    assert (answer.status_code, "state mismatch" in answer.text, "login/oauth" in answer.text) == (401, True, True)
    # No state at all, with a code that is somebody else's: their page would be shown as this browser's.
    there.codes["planted"] = there.redirect_uri
    there.claims = {"email": "mallory@example.com"}
    for planted in ("code=planted&state=", "code=planted", "next=/%3Fcode%3Dplanted%26state%3D", "code=planted&state=&next=x"):
        answer = requests.Session().get(f"{here.url}login/oauth?{planted}", allow_redirects=False)
        assert (answer.status_code, f"tower-login-{here.port}" in answer.cookies) == (401, False), planted
    assert "planted" not in here.log()
    assert "<b>" not in requests.get(here.url + "login/oauth?error=%3Cb%3Eno%3C/b%3E").text
    # A code that the provider does not know.
    answer = session.get(here.url + "login/oauth", allow_redirects=False)
    state = requests.utils.urlparse(answer.headers["Location"]).query.partition("state=")[2].partition("&")[0]
    answer = session.get(f"{here.url}login/oauth?code=made-up&state={state}")
    assert (answer.status_code, "invalid_grant" in answer.text) == (401, True)


def test_a_login_that_a_removed_user_has_open_is_closed(server: Server, visit: Visit) -> None:
    users = Users(server.home)
    users.set("carl", PASSWORD, operator=False)
    session = logged_in(server, "carl")
    assert session.get(server.url).status_code == 200
    users.remove("carl")
    wait_until(lambda: session.get(server.url).url.endswith("/login"), "carl is sent to the login page")


def test_viewers_read_annotations_and_operators_write_them(server: Server) -> None:
    bob, ann = logged_in(server, "bob"), logged_in(server, "ann")
    origin, note = {"Origin": server.url.rstrip("/")}, {"kind": "note", "text": "seen"}
    refused = bob.post(server.url + "annotations", json=note, headers=origin)
    assert (refused.status_code, "only operators" in refused.json()["error"]) == (403, True)
    made = ann.post(server.url + "annotations", json=note, headers=origin)
    assert (made.status_code, made.json()["author"]) == (201, "ann")
    address = f"{server.url}annotations/{made.json()['id']}"
    assert [each["text"] for each in bob.get(server.url + "annotations?model=churn").json()] == ["seen"]
    assert bob.delete(address, headers=origin).status_code == bob.put(address, json=note, headers=origin).status_code == 403
    assert ann.delete(address, headers={"Origin": "http://evil.example.org"}).status_code == 403
    assert "annotate-dialog" not in bob.get(server.url + "?model=churn").text
    assert "annotate-dialog" in ann.get(server.url + "?model=churn").text
    assert ann.put(address, json={**note, "text": "seen twice"}, headers=origin).json()["text"] == "seen twice"
    assert ann.delete(address, headers=origin).status_code == 200
    assert ann.delete(address, headers=origin).status_code == 404
