"""Statements of viewers, each run by a `query.child`: some side by side, the others wait their turn.

Rows come in a file without a name, which the kernel removes with its last descriptor, however this process or that one ends.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from dashboard.settings import DashboardSettings
from query.child import Answer, Format, Request
from schemas.errors import TowerError

MOST_SQL = 10_000
"""Characters of a statement; an address has to hold them."""
_MOST_OPEN = 16
"""So many statements may run, wait, or have their rows sent, at a time."""
_MOST_OF_ONE = 8
"""So many of those may be one viewer's, so that nobody keeps all others from asking."""
_BYTES: dict[Format, int] = {"page": 16_000_000, "csv": 256_000_000, "parquet": 256_000_000}
_ROOT = Path(__file__).resolve().parents[2]


class QueryFailed(TowerError):
    """A statement has no rows to show: it is wrong, was too much, or was taken back."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a statement gave: the rows as a file, their number, and whether there were more than the limit."""

    file: BinaryIO
    size: int
    rows: int
    more: bool
    seconds: float


@dataclass(slots=True)
class _Child:
    """A process that waits for its statement, and the file that the rows will be in."""

    process: subprocess.Popen[bytes]
    file: BinaryIO

    @classmethod
    def begin(cls) -> _Child:
        file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - open until its rows are sent
        command = [sys.executable, "-P", "-m", "query.start", str(file.fileno())]
        # Of this process's environment it gets nothing: that may hold secrets.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[file.fileno()],
            env={"PYTHONPATH": str(_ROOT)},
            cwd="/",
            start_new_session=True,
        )
        return cls(process, file)

    def run(self, request: Request, limit_s: float) -> Answer:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            # Left open: the process ends when it is closed.
            stdin.write(msgspec.json.encode(request) + b"\n")
            stdin.flush()
            self.process.wait(limit_s)
            return msgspec.json.decode(stdout.read(), type=Answer)
        except subprocess.TimeoutExpired:
            return Answer(error=f"stopped after {limit_s:g} s, the limit - ask for less: fewer days, models, or a coarser window")
        except (BrokenPipeError, msgspec.DecodeError):
            return Answer(error="the query was ended by the system, most likely for want of memory - ask for less at a time")
        finally:
            self.end()

    def discard(self) -> None:
        self.end()
        self.file.close()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


@dataclass(eq=False, slots=True)
class Query:
    """A statement that somebody asked for; `begun` is done when its turn has come, `rows` when it has an end."""

    asker: str
    before: int
    begun: Future[None] = field(default_factory=Future)
    rows: Future[Rows] = field(default_factory=Future)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _child: _Child | None = None
    _cancelled: bool = False

    def cancel(self) -> None:
        """Nobody wants it any more."""
        with self._lock:
            self._cancelled = True
            if self._child is not None:
                self._child.process.kill()

    def take(self, begin: Callable[[], _Child]) -> _Child:
        """Begin in the process that is returned, unless it was taken back; then QueryFailed is raised."""
        with self._lock:
            if self._cancelled:
                raise QueryFailed("the query was cancelled")
            self._child = begin()
            return self._child


class Queries:
    """Runs statements; for the thread of the event loop, which never waits here."""

    def __init__(self, *, home: Path, settings: DashboardSettings) -> None:
        self._home = home
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.queries_at_once, thread_name_prefix="query")
        self._lock = threading.Lock()
        self._spare: _Child | None = None
        self._open: set[Query] = set()
        self.key = secrets.token_urlsafe(24)
        """Known to the pages of this server alone: an address without it was made elsewhere."""

    @property
    def open(self) -> int:
        """Statements that run, wait, or have their rows sent."""
        return len(self._open)

    def prepare(self) -> None:
        """Have a process ready: someone is about to ask, and starting takes it half a second."""
        self._threads.submit(self._make_spare)

    def ask(self, sql: str, form: Format, asker: str) -> Query:
        """Run a statement when its turn comes. Raises QueryFailed when that cannot be."""
        if len(sql) > MOST_SQL:
            raise QueryFailed(f"the statement has {len(sql):,} characters", f"at most {MOST_SQL:,} are taken")
        if self.open >= _MOST_OPEN:
            raise QueryFailed(f"{_MOST_OPEN} queries run or wait already", "try again in a moment")
        if sum(each.asker == asker for each in self._open) >= _MOST_OF_ONE:
            raise QueryFailed(f"{_MOST_OF_ONE} of your queries run, wait or are sent already", "wait for one of them, or cancel it")
        unfinished = sum(not each.rows.done() for each in self._open)
        query = Query(asker, max(0, unfinished - self._settings.queries_at_once + 1))
        self._open.add(query)
        self._threads.submit(self._run, query, sql, form)
        return query

    def release(self, query: Query) -> None:
        """The rows of a query have been sent, or nobody wants them any more."""
        query.cancel()
        query.rows.add_done_callback(_close)
        self._open.discard(query)

    def close(self) -> None:
        """End whatever runs."""
        for query in list(self._open):
            query.cancel()
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._spare is not None:
            self._spare.discard()

    def _make_spare(self) -> None:
        with self._lock:
            spare = self._spare
            if spare is not None and spare.process.poll() is not None:
                spare.discard()
                spare = None
            self._spare = spare or _Child.begin()

    def _take_spare(self) -> _Child:
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None and spare.process.poll() is None:
            return spare
        if spare is not None:
            spare.discard()
        return _Child.begin()

    def _run(self, query: Query, sql: str, form: Format) -> None:
        query.begun.set_result(None)
        try:
            child = query.take(self._take_spare)
            try:
                query.rows.set_result(self._rows(child, sql, form))
            except BaseException:
                child.discard()
                raise
            finally:
                self._make_spare()
        except Exception as error:  # whatever it is, it is for whoever waits for the rows
            query.rows.set_exception(error)

    def _rows(self, child: _Child, sql: str, form: Format) -> Rows:
        settings, began = self._settings, time.monotonic()
        limit_s = settings.query_time_limit_ms / 1000
        rows = settings.query_rows if form == "page" else settings.download_rows
        request = Request(str(self._home.absolute()), sql, form, rows, _BYTES[form], settings.query_memory_mb, round(limit_s) + 5)
        answer = child.run(request, limit_s)
        if answer.error:
            raise QueryFailed(answer.error)
        child.file.seek(0)
        return Rows(child.file, os.fstat(child.file.fileno()).st_size, answer.rows, answer.more, time.monotonic() - began)


def _close(rows: Future[Rows]) -> None:
    if rows.exception() is None:
        rows.result().file.close()
