"""The plots that all model pages draw, under an address that changes with them, so that a browser asks for them once."""

from __future__ import annotations

from tornado.web import RequestHandler

from dashboard.widgets.charts import plots_json


class PlotsHandler(RequestHandler):
    """Answers with `plots_json`."""

    def get(self) -> None:
        """Write it."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.finish(plots_json())
