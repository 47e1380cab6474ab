"""`/health`: whether the dashboard works and how old its data is, as JSON; pages also ask it whether the server is back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from tornado.web import RequestHandler

from dashboard.access.access import Access

Report = Callable[[], Mapping[str, object]]
_FOR_ALL = ("status", "since")
"""What a stranger is told."""


class HealthHandler(RequestHandler):
    """Answers with the report that it was given; always 200 while the server runs."""

    def initialize(self, report: Report, access: Access) -> None:
        """Take the function that makes the report, and who may read all of it."""
        self._report = report
        self._access = access

    def get(self) -> None:
        """Write the report."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        report = self._report()
        if self._access.user_of(self.request) is None:
            report = {name: report[name] for name in _FOR_ALL}
        self.finish(msgspec.json.encode(report))
