"""`/health`: whether the dashboard works and how old its data is, as JSON; pages also ask it whether the server is back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from tornado.web import RequestHandler

Report = Callable[[], Mapping[str, object]]


class HealthHandler(RequestHandler):
    """Answers with the report that it was given; always 200 while the server runs."""

    def initialize(self, report: Report) -> None:
        """Take the function that makes the report."""
        self._report = report

    def get(self) -> None:
        """Write the report."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(msgspec.json.encode(self._report()))
