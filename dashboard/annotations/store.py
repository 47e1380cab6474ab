"""The annotations of a home: a small SQLite file, in one thread, and all of it in memory too."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from dashboard.annotations.annotation import EVERY_MODEL, Annotation, Draft

MOST_KEPT = 10_000
MOST_SHOWN = 200
"""Of a model, the newest."""
_TABLE = """
CREATE TABLE IF NOT EXISTS annotations (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, text TEXT NOT NULL, model TEXT NOT NULL,
    "start" INTEGER NOT NULL, "end" INTEGER, author TEXT NOT NULL, updated INTEGER NOT NULL
)
"""


class NotKept(Exception):
    """An annotation cannot be kept; the text says why."""


class AnnotationStore:
    """Keeps annotations so that neither a kill nor a power cut loses one that was acknowledged.

    All that touches the file runs in the store's own thread; `changed` is called there after each change.
    """

    def __init__(self, home: Path, *, changed: Callable[[], None], now_ms: Callable[[], int]) -> None:
        self._file = home / "dashboard" / "annotations.sqlite"
        self._changed = changed
        self._now_ms = now_ms
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="annotations")
        self._known: dict[str, Annotation] = {}
        self._connection: sqlite3.Connection | None = None
        self._why_not = "the annotations are still being read"

    def start(self) -> None:
        """Begin to read what is kept."""
        self._thread.submit(self._open)

    def close(self) -> None:
        """Finish what was begun and close the file."""
        self._thread.submit(self._close)
        self._thread.shutdown()

    def of(self, model: str) -> list[Annotation]:
        """Return those of a model and of all models together, the newest first."""
        found = [each for each in self._known.values() if each.model in (model, EVERY_MODEL)]
        return sorted(found, key=lambda each: (-each.start, each.id))[:MOST_SHOWN]

    def all(self) -> list[Annotation]:
        """Return all, the newest first."""
        return sorted(self._known.values(), key=lambda each: (-each.start, each.id))

    def get(self, key: str) -> Annotation | None:
        """Return one."""
        return self._known.get(key)

    def add(self, draft: Draft, author: str) -> Future[Annotation]:
        """Keep a new one; done when the disk has it. Its future raises ValueError or NotKept."""
        return self._thread.submit(self._put, secrets.token_hex(16), draft, author)

    def replace(self, key: str, draft: Draft, author: str) -> Future[Annotation]:
        """Keep one instead of another."""
        return self._thread.submit(self._put, key, draft, author)

    def remove(self, key: str) -> Future[None]:
        """Remove one."""
        return self._thread.submit(self._remove, key)

    def _open(self) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._file, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(_TABLE)
            rows = connection.execute('SELECT id, kind, text, model, "start", "end", author, updated FROM annotations').fetchall()
        except (OSError, sqlite3.Error) as error:
            self._why_not = f"{self._file} cannot be used: {error}"
            return
        self._connection = connection
        self._known = {row[0]: Annotation(*row) for row in rows}
        self._changed()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _put(self, key: str, draft: Draft, author: str) -> Annotation:
        made = draft.written(key, author, self._now_ms())
        if key not in self._known and len(self._known) >= MOST_KEPT:
            raise NotKept(f"{MOST_KEPT} annotations are kept already; remove some")
        values = (made.id, made.kind, made.text, made.model, made.start, made.end, made.author, made.updated)
        self._write("INSERT OR REPLACE INTO annotations VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        self._known = {**self._known, key: made}
        self._changed()
        return made

    def _remove(self, key: str) -> None:
        self._write("DELETE FROM annotations WHERE id = ?", (key,))
        self._known = {each: annotation for each, annotation in self._known.items() if each != key}
        self._changed()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        if self._connection is None:
            raise NotKept(self._why_not)
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise NotKept(f"{self._file} cannot be written: {error}") from error
