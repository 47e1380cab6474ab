"""Statements of viewers, without a server: nobody keeps all others from asking."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from dashboard.access.access import Access
from dashboard.access.settings import AccessSettings
from dashboard.explore.handler import QueryHandler
from dashboard.explore.queries import Queries, QueryFailed
from dashboard.settings import DashboardSettings
from tests.waiting import slowness

SLOW = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


def test_one_viewer_has_no_more_than_half_of_what_is_asked_at_a_time(tmp_path: Path) -> None:
    queries = Queries(home=tmp_path, settings=DashboardSettings(queries_at_once=1))
    try:
        asked = [queries.ask(SLOW, "page", "ann") for _ in range(8)]
        with pytest.raises(QueryFailed, match="8 of your queries"):
            queries.ask(SLOW, "page", "ann")
        for each in range(8):
            queries.ask(SLOW, "page", f"{each}")
        with pytest.raises(QueryFailed, match="16 queries run or wait"):
            queries.ask(SLOW, "page", "bob")
        queries.release(asked[-1])
        queries.ask("SELECT 1", "page", "ann")
    finally:
        queries.close()


def test_writing_the_rows_is_within_the_time_limit(tmp_path: Path) -> None:
    queries = Queries(home=tmp_path, settings=DashboardSettings(query_time_limit_ms=1_000, download_rows=10**9))
    try:
        query = queries.ask("FROM range(1000000000)", "csv", "ann")
        with pytest.raises(QueryFailed, match="stopped after 1 s"):
            query.rows.result(60)
    finally:
        queries.close()


def test_who_does_not_take_the_rows_within_the_time_limit_gets_no_more(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:  # that of the tests may have Playwright's loop
        head, size = thread.submit(asyncio.run, taken_late(tmp_path)).result()
    assert "200 OK" in head
    assert f"Content-Length: {size}" not in head


async def taken_late(home: Path) -> tuple[str, int]:
    """Ask for a file, read nothing of it until it has been given up, and return its head and how many bytes there were."""
    settings = DashboardSettings()
    queries = Queries(home=home, settings=settings)
    made_with = {"queries": queries, "access": Access(home, settings, AccessSettings()), "limit_s": 0.5}
    server = HTTPServer(Application([("/query", QueryHandler, made_with)]))
    listening = bind_sockets(0, "127.0.0.1")
    server.add_sockets(listening)
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    lazy.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(lazy, listening[0].getsockname())
        query = urlencode({"key": queries.key, "format": "csv", "sql": "SELECT repeat('x', 1000) FROM range(12000)"})
        await loop.sock_sendall(lazy, f"GET /query?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(60 * slowness()):
            while not queries.open:
                await asyncio.sleep(0.01)
            while queries.open:
                await asyncio.sleep(0.01)
            found = b""
            while part := await loop.sock_recv(lazy, 1 << 20):
                found += part
    finally:
        lazy.close()
        server.stop()
        await server.close_all_connections()
        queries.close()
    head, _, body = found.partition(b"\r\n\r\n")
    return head.decode(), len(body)
