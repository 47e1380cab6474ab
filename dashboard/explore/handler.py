"""`/query`: the rows of a statement, for the Explore page or as a file to keep."""

from __future__ import annotations

import asyncio
import hmac
from datetime import UTC, datetime
from typing import get_args

import msgspec
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from dashboard.access.access import Access
from dashboard.explore.queries import Queries, Query, QueryFailed, Rows
from query.child import Format

_CHUNK = 256 * 1024
"""Bytes of a result; whoever does not take so many within the time limit of a statement gets no more."""
_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet", "page": "application/x-ndjson"}


class QueryHandler(RequestHandler):
    """`GET /query?key=...&format=page|csv|parquet&sql=...`.

    `key` is the server's own, which only its pages know; so no other site can have a viewer's browser ask. For `page` the answer is
    lines of JSON: `{"before": 2}` while others come first, `{"running": true}`, and then either `{"error": ...}` or
    `{"rows": n, "more": ..., "seconds": ...}` followed by a line with the columns and rows. Files are sent whole or not at all: an error is
    one line of text, with code 400.
    """

    def initialize(self, queries: Queries, access: Access, limit_s: float) -> None:
        """Take who runs statements, who knows the viewers, and how long one waits for a reader."""
        self._queries = queries
        self._access = access
        self._limit_s = limit_s
        self._query: Query | None = None

    def prepare(self) -> None:
        """Refuse what another site has a viewer's browser ask; strangers and other names of this server do not come as far as here."""
        if self.request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise HTTPError(403, reason="Only from a page of this dashboard")
        if not hmac.compare_digest(self.get_query_argument("key", "").encode(), self._queries.key.encode()):
            raise HTTPError(403, reason="This address has expired, open the Explore page again")

    def _request_summary(self) -> str:
        """Return what logs tell of the request: without its key and its statement."""
        return f"{self.request.method} {self.request.path} ({self.request.remote_ip})"

    async def get(self) -> None:
        """Run the statement and send its rows."""
        form: Format = self.get_query_argument("format", "page")  # type: ignore[assignment]
        if form not in get_args(Format):
            raise HTTPError(400, reason="format is page, csv or parquet")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", _TYPES[form])
        try:
            self._query = self._queries.ask(self.get_query_argument("sql", strip=False), form, self._asker())
            try:
                await self._progress(self._query, form)
                rows = await asyncio.wrap_future(self._query.rows)
                with rows.file:
                    await self._send(rows, form)
            finally:
                self._queries.release(self._query)
        except QueryFailed as error:
            self._fail(error, form)
        except StreamClosedError:
            return

    def on_connection_close(self) -> None:
        """The browser has cancelled, or is gone."""
        if self._query is not None:
            self._query.cancel()

    def _asker(self) -> str:
        user = self._access.user_of(self.request)
        return (user.name if user else "") or self._access.client_address(self.request)

    async def _progress(self, query: Query, form: Format) -> None:
        if form != "page":
            return
        if query.before and not query.begun.done():
            await self._line({"before": query.before})
        await asyncio.wrap_future(query.begun)
        await self._line({"running": True})

    async def _send(self, rows: Rows, form: Format) -> None:
        if form == "page":
            await self._line({"rows": rows.rows, "more": rows.more, "seconds": rows.seconds})
        else:
            stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
            self.set_header("Content-Disposition", f'attachment; filename="control-tower-{stamp}.{form}"')
            self.set_header("Content-Length", str(rows.size))
        while chunk := rows.file.read(_CHUNK):
            self.write(chunk)
            try:
                await asyncio.wait_for(self.flush(), self._limit_s)
            except TimeoutError:
                self.detach().close()
                return

    async def _line(self, content: dict[str, object]) -> None:
        self.write(msgspec.json.encode(content) + b"\n")
        await self.flush()

    def _fail(self, error: QueryFailed, form: Format) -> None:
        if form == "page":
            self.write(msgspec.json.encode({"error": str(error)}))
            return
        self.set_status(400)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(str(error))
