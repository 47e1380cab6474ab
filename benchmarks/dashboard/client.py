"""A viewer without a screen: it speaks Bokeh's protocol as its JavaScript does, so that a hundred of them fit on one machine."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import orjson
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

_TOKEN = re.compile(rb'"token":"([^"]+)"')
_NEWEST = re.compile(rb'newest\\":(\d+)')
_ANSWER_S = 60.0
_LARGEST = 256 << 20


@dataclass(slots=True)
class Told:
    """What a viewer has received: messages, bytes, how often word of newer data, and how late each of these came (seconds).

    Of what is published every so many seconds, what was overtaken by newer before the viewer had word of it is late until then, too.
    """

    messages: int = 0
    size: int = 0
    updates: int = 0
    delays: list[float] = field(default_factory=list)


def delays_s(before: int, newest: int, now: float, every_s: float) -> list[float]:
    """Return how late each is that was published after `before`, up to `newest`, the first word of which comes `now` (all epoch ms)."""
    overtaken = max(0, round((newest - before) / (1000 * every_s)) - 1)
    return [(now - newest) / 1000 + every_s * steps for steps in range(overtaken + 1)]


class Viewer:
    """One open page; use it as an asynchronous context manager. Raises TimeoutError where the server does not answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._socket: WebSocketClientConnection | None = None
        self._newest = 0
        self.told = Told()

    async def __aenter__(self) -> Self:
        """Open the page: its HTML, its web socket, its document."""
        answer = await AsyncHTTPClient().fetch(HTTPRequest(self._url, request_timeout=_ANSWER_S))
        found = _TOKEN.search(answer.body)
        assert found is not None, "the page has no token"
        root = self._url.partition("?")[0].replace("http", "ws", 1)
        self._socket = await websocket_connect(
            HTTPRequest(f"{root}ws", request_timeout=_ANSWER_S), subprotocols=["bokeh", found[1].decode()], max_message_size=_LARGEST
        )
        await self._until("ACK")
        await self._send("PULL-DOC-REQ", {})
        await self._until("PULL-DOC-REPLY")
        ready = {"type": "event", "name": "document_ready", "values": {"type": "map"}}
        await self._send("PATCH-DOC", {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": ready}]})
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the page as a browser does."""
        if self._socket is not None:
            self._socket.close()

    def vanish(self) -> None:
        """Be gone without a word, as a phone that loses its network; the connection is not closed but cut."""
        assert self._socket is not None
        stream = self._socket.protocol.stream  # type: ignore[union-attr]
        stream.close()

    async def watch(self, until: float, every_s: float, now_ms: Callable[[], float] = lambda: time.time() * 1000) -> None:
        """Take in what comes until `until` (monotonic seconds), where something is published every so many seconds."""
        while (left := until - time.monotonic()) > 0:
            try:
                _, content = await asyncio.wait_for(self._message(), left)
            except TimeoutError:
                return
            newest = max((int(each) for each in _NEWEST.findall(content)), default=0)
            if newest > self._newest:
                if self._newest:
                    self.told.updates += 1
                    self.told.delays += delays_s(self._newest, newest, now_ms(), every_s)
                self._newest = newest

    async def _until(self, kind: str) -> bytes:
        while True:
            found, content = await asyncio.wait_for(self._message(), _ANSWER_S)
            if found == kind:
                return content

    async def _send(self, kind: str, content: object) -> None:
        assert self._socket is not None
        for part in ({"msgid": f"{id(self):x}-{time.monotonic_ns()}", "msgtype": kind}, {}, content):
            await self._socket.write_message(orjson.dumps(part).decode())

    async def _message(self) -> tuple[str, bytes]:
        """Return the type and the content of the next message: three parts of JSON, then two for each buffer."""
        header = orjson.loads(await self._part())
        await self._part()
        content = await self._part()
        for _ in range(2 * header.get("num_buffers", 0)):
            await self._part()
        self.told.messages += 1
        return header["msgtype"], content

    async def _part(self) -> bytes:
        assert self._socket is not None
        part = await self._socket.read_message()
        if part is None:
            raise ConnectionError("the server has closed the connection")
        found = part.encode() if isinstance(part, str) else part
        self.told.size += len(found)
        return found
