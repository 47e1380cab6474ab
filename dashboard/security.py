"""Headers of every answer: what a page may load and do, and who may show it."""

from __future__ import annotations

import secrets

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

_POLICY = "; ".join(
    (
        "default-src 'none'",
        # Bokeh begins a page with a script in it, which bears the nonce, and makes functions of the tickers' and formatters'
        # texts, which are ours.
        "script-src 'self' 'unsafe-eval'{nonce}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self' {sockets}",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_NONCE = "tower_nonce"


def nonce_of(request: HTTPServerRequest) -> str:
    """Return what the scripts in the page that answers a request are known by: the same whenever it is asked of that request."""
    made: str | None = getattr(request, _NONCE, None)
    if made is None:
        made = secrets.token_urlsafe(16)
        setattr(request, _NONCE, made)
    return made


class SecurityHeaders(OutputTransform):
    """Adds them to whatever answers."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self._request = request
        # Older browsers do not take a page's own web socket for 'self'.
        self._https = request.protocol == "https"
        self._sockets = f"{'wss' if self._https else 'ws'}://{request.host}"

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Set the headers before anything is sent."""
        nonce = f" 'nonce-{nonce_of(self._request)}'" if hasattr(self._request, _NONCE) else ""
        headers.setdefault("Content-Security-Policy", _POLICY.format(sockets=self._sockets, nonce=nonce))
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        # With no-referrer, browsers would not tell our own forms' origin either, by which the guard knows them.
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if self._https:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return status_code, headers, chunk
