"""`/annotations`: read by all who may view, written by operators, and added to by a service that has the token."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import NoReturn, TypeVar

import msgspec
from tornado.web import Finish, RequestHandler

from dashboard.access.access import SERVICE, Access
from dashboard.annotations.annotation import Draft
from dashboard.annotations.store import AnnotationStore, NotKept

ROUTE = "/annotations"
_T = TypeVar("_T")


class AnnotationsHandler(RequestHandler):
    """All of them, or those of `?model=...`; POST adds one."""

    def initialize(self, store: AnnotationStore, access: Access) -> None:
        """Take the store, and who may write to it."""
        self._store = store
        self._access = access

    def get(self) -> None:
        """Answer with them, the newest first."""
        model = self.get_argument("model", None)
        self._answer(200, self._store.all() if model is None else self._store.of(model))

    async def post(self) -> None:
        """Add one; the answer is it, with its id."""
        author = SERVICE if self._access.has_token(self.request) else self._operator()
        made = await self._kept(self._store.add(self._draft(), author))
        self._answer(201, made)

    def _operator(self) -> str:
        user = self._access.user_of(self.request)
        if user is None or not user.operator:
            self._refuse(403, "only operators write annotations - see access.operators")
        return user.name

    def _draft(self) -> Draft:
        try:
            return msgspec.json.decode(self.request.body, type=Draft)
        except msgspec.DecodeError as error:
            self._refuse(400, str(error))

    async def _kept(self, done: Future[_T]) -> _T:
        try:
            return await asyncio.wrap_future(done)
        except ValueError as error:
            self._refuse(400, str(error))
        except NotKept as error:
            self._refuse(503, str(error))

    def _answer(self, status: int, content: object) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(msgspec.json.encode(content))

    def _refuse(self, status: int, why: str) -> NoReturn:
        self._answer(status, {"error": why})
        raise Finish


class AnnotationHandler(AnnotationsHandler):
    """One of them: PUT replaces it, DELETE removes it."""

    def get(self, key: str) -> None:  # type: ignore[override]
        """Answer with it."""
        self._require(key)
        self._answer(200, self._store.get(key))

    async def put(self, key: str) -> None:
        """Replace it."""
        author = self._operator()
        self._require(key)
        made = await self._kept(self._store.replace(key, self._draft(), author))
        self._answer(200, made)

    async def delete(self, key: str) -> None:
        """Remove it."""
        self._operator()
        self._require(key)
        await self._kept(self._store.remove(key))
        self._answer(200, {})

    def post(self, key: str) -> None:  # type: ignore[override]
        """There is none in it to add to."""
        self.send_error(405)

    def _require(self, key: str) -> None:
        if self._store.get(key) is None:
            self._refuse(404, "there is no such annotation")
