"""Headers of every answer: what a page may load and do, and who may show it."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

_POLICY = "; ".join(
    (
        "default-src 'none'",
        # Bokeh begins a page with a script in it, and makes functions of the tickers' and formatters' texts, which are ours.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self' {sockets}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


class SecurityHeaders(OutputTransform):
    """Adds them to whatever answers."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        # Older browsers do not take a page's own web socket for 'self'.
        self._policy = _POLICY.format(sockets=f"{'wss' if request.protocol == 'https' else 'ws'}://{request.host}")

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Set the headers before anything is sent."""
        headers["Content-Security-Policy"] = self._policy
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return status_code, headers, chunk
