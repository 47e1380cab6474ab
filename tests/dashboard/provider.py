"""An OpenID Connect provider on 127.0.0.1, as strict as RFC 6749 and OpenID Connect Core let one be; whoever comes is signed in at once."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

KEY, SECRET = "tower-client", "s3cret-of-the-client"


@dataclass
class Provider:
    """`claims` is what it says of whoever signs in; `wrong` what was wrong with the requests."""

    redirect_uri: str
    port: int = 0
    claims: dict[str, object] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def settings(self) -> dict[str, object]:
        """What a dashboard is configured with that uses it."""
        at = f"http://127.0.0.1:{self.port}"
        return {
            "login": "oauth",
            "oauth_provider": "generic",
            "oauth_key": KEY,
            "oauth_secret": SECRET,
            "oauth_authorize_url": f"{at}/authorize",
            "oauth_token_url": f"{at}/token",
            "oauth_user_url": f"{at}/userinfo",
        }

    def authorize(self, query: str) -> str:
        """Section 4.1.1: return where the browser is sent back to, with a code."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        expected = {"response_type": "code", "client_id": KEY, "redirect_uri": self.redirect_uri}
        self.wrong += [f"authorize: {name}={given.get(name)}" for name, value in expected.items() if given.get(name) != value]
        if "openid" not in given.get("scope", "").split():
            self.wrong.append("authorize: the scope has no openid")
        if len(given.get("state", "")) < 16 or SECRET in query:
            self.wrong.append("authorize: no state, or a secret that the browser sees")
        code = secrets.token_urlsafe()
        self.codes[code] = given.get("redirect_uri", "")
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': given.get('state', '')})}"

    def token(self, body: str, kind: str) -> dict[str, object] | None:
        """Section 4.1.3: return the tokens for a code, which is good once; None if it is not."""
        given = {name: values[0] for name, values in parse_qs(body).items()}
        if not kind.startswith("application/x-www-form-urlencoded"):
            # Panel sends a form and forgets to say so.
            self.seen.append(f"token: the body is {kind or 'of no type'}")
        expected = {"grant_type": "authorization_code", "client_id": KEY, "client_secret": SECRET, "redirect_uri": self.redirect_uri}
        self.wrong += [f"token: {name}={given.get(name)}" for name, value in expected.items() if given.get(name) != value]
        if self.codes.pop(given.get("code", ""), None) != self.redirect_uri:
            return None
        return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": _jwt(self.claims)}


def _jwt(claims: dict[str, object]) -> str:
    parts = [json.dumps({"alg": "RS256"}), json.dumps({"iss": "http://127.0.0.1", "aud": KEY, **claims}), "signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@contextmanager
def running(provider: Provider) -> Iterator[Provider]:
    """Serve it for a while."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            target = urlsplit(self.path)
            assert target.path == "/authorize", self.path
            self.send_response(302)
            self.send_header("Location", provider.authorize(target.query))
            self.end_headers()

        def do_POST(self) -> None:
            assert self.path == "/token", self.path
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = provider.token(body, self.headers.get("Content-Type", ""))
            self.send_response(200 if answer else 400)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer or {"error": "invalid_grant"}).encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
