"""Which names are kept apart: the first ones up to a limit, the same in all shards of a home.

A name that one shard kept and another folded would have a number that lacks events, and nobody could see it. So a shard asks for
each name that it does not know, and the answer is on disk before the shard's own commit. Names are never given up: once the limit
is reached the set is final, a shard reads it once and asks no more, and a flood of names costs nothing.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schemas.errors import TowerError

Member = tuple[str, str, str]
"""A name that is kept apart: (kind, owner, name); the owner is whose limit it counts towards."""
KEY_SET = "key set"
"""The kind of name that is a shard's own: a set of its ids of features."""
COMBINATION = "segment combination"
LIMIT_OF = {
    "model": "models",
    "version": "versions_per_model",
    "segment": "segment_names_per_model",
    "value": "segment_values_per_name",
    COMBINATION: "segment_combinations_per_model",
    "feature": "features_per_model",
    KEY_SET: "key_sets_per_model",
    "class": "classes_per_model",
    "variant": "variants_per_model",
}
"""For each kind the limit in the configuration."""
_WAIT_S = 60.0
"""How long another shard may hold the file. It does so for milliseconds, unless its process is stopped."""
_NOTE_EVERY_S = 10.0
_TABLES = """
CREATE TABLE IF NOT EXISTS kept (kind TEXT, owner TEXT, name TEXT, PRIMARY KEY (kind, owner, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folded (kind TEXT, owner TEXT, times INTEGER, allowed INTEGER, PRIMARY KEY (kind, owner)) WITHOUT ROWID;
"""


class Admissions(Protocol):
    """Says which names are kept."""

    def learn(self, members: Iterable[Member]) -> None:
        """Take over the names that a shard has from earlier."""

    def admits(self, kind: str, owner: str, name: str, limit: int) -> bool:
        """Say whether a name is kept; the caller does not know it yet."""

    def note_folded(self, kind: str, owner: str, limit: int) -> None:
        """Count that something was folded for that limit."""

    def settle(self) -> None:
        """Make all answers so far last."""

    def close(self) -> None:
        """Let go of everything."""


class OwnAdmissions:
    """Decides for one shard alone, which keeps the names itself: for what other shards need not agree on."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def learn(self, members: Iterable[Member]) -> None:
        """Take over names that were admitted earlier."""
        self._counts.update((kind, owner) for kind, owner, _ in members)

    def admits(self, kind: str, owner: str, name: str, limit: int) -> bool:
        """Say whether a name is kept; the caller does not know it yet."""
        kept = self._counts[kind, owner] < limit
        self._counts[kind, owner] += kept
        return kept

    def note_folded(self, kind: str, owner: str, limit: int) -> None:
        """Count nothing: the caller does."""

    def settle(self) -> None:
        """Do nothing: the caller stores what it was told."""

    def close(self) -> None:
        """Do nothing."""


class HomeAdmissions:
    """The admissions of a home as one shard asks for them; other shards, also of other processes, have the same file open.

    The first question opens a transaction that shuts out the others, and `settle` ends it: one wait for the disk for all
    names of a batch. All calls raise TowerError when the file cannot be used.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._full: dict[tuple[str, str], frozenset[str]] = {}
        self._asked: dict[tuple[str, str], set[str]] = {}
        self._asking = False
        self._folded: Counter[tuple[str, str, int]] = Counter()
        self._noted_s = clock()
        self._database = _opened(file)

    def learn(self, members: Iterable[Member]) -> None:
        """Do nothing: `restore` has told the file of the names of all shards, before the first of them asked."""

    def admits(self, kind: str, owner: str, name: str, limit: int) -> bool:
        """Say whether a name is kept, and keep it if there is room."""
        full = self._full.get((kind, owner))
        if full is not None:
            return name in full
        with _explained(self._file):
            kept = self._kept(kind, owner)
            if name in kept:
                return True
            if len(kept) >= limit:
                self._full[kind, owner] = frozenset(kept)
                return False
            self._database.execute("INSERT INTO kept VALUES (?, ?, ?)", (kind, owner, name))
            kept.add(name)
            return True

    def note_folded(self, kind: str, owner: str, limit: int) -> None:
        """Count that something was folded for that limit; the file has the count some seconds later, and a kill may lose those."""
        self._folded[kind, owner, limit] += 1

    def settle(self) -> None:
        """End the transaction: all answers so far are on disk."""
        with _explained(self._file):
            if self._folded and self._clock() - self._noted_s >= _NOTE_EVERY_S:
                self._note()
            if self._asking:
                self._database.execute("COMMIT")
                self._asking = False
                self._asked.clear()

    def close(self) -> None:
        """Store the counts, and let go of the file."""
        with suppress(sqlite3.Error):  # what counts is settled; a disk that is full is told of by whatever must be stored
            self._note()
            self._database.execute("COMMIT")
        self._database.close()

    def _begin(self) -> None:
        if not self._asking:
            self._database.execute("BEGIN IMMEDIATE")
            self._asking = True

    def _kept(self, kind: str, owner: str) -> set[str]:
        """Return the names kept of an owner, which no other shard can change now."""
        self._begin()
        found = self._asked.get((kind, owner))
        if found is None:
            rows = self._database.execute("SELECT name FROM kept WHERE kind = ? AND owner = ?", (kind, owner))
            found = self._asked[kind, owner] = {name for (name,) in rows}
        return found

    def _note(self) -> None:
        self._begin()
        self._database.executemany(
            "INSERT INTO folded VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET times = times + excluded.times, allowed = excluded.allowed",
            [(kind, owner, times, limit) for (kind, owner, limit), times in self._folded.items()],
        )
        self._folded.clear()
        self._noted_s = self._clock()


@dataclass(frozen=True, slots=True)
class Usage:
    """How many names of a kind an owner has, and how often others were folded: once for each batch and shard that held one.

    `allowed` is the limit for which they were folded last, 0 when none was.
    """

    kind: str
    owner: str
    kept: int
    folded: int
    allowed: int


def admissions_file(home: Path) -> Path:
    """Return the file of a home's admissions."""
    return home / "state" / "names.sqlite"


def restore(file: Path, members: Iterable[Member]) -> None:
    """Have the file hold all names that the shards hold, before any of them asks: it may be new, lost, or an old copy.

    Shards of a home of before this file may together hold more than the limit: all stay.
    Raises TowerError when the file cannot be used.
    """
    with _explained(file), closing(_opened(file)) as database:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?, ?)", members)
        database.execute("COMMIT")


def usage(file: Path) -> list[Usage]:
    """Return how full each limit is; nothing where there is no file. Raises TowerError when it cannot be read."""
    if not file.exists():
        return []
    with _explained(file), closing(sqlite3.connect(file, timeout=_WAIT_S)) as database:
        rows = database.execute(
            "SELECT kind, owner, sum(kept), sum(times), sum(allowed)"
            " FROM (SELECT kind, owner, 1 AS kept, 0 AS times, 0 AS allowed FROM kept"
            " UNION ALL SELECT kind, owner, 0, times, allowed FROM folded) GROUP BY kind, owner ORDER BY kind, owner"
        )
        return [Usage(*row) for row in rows]


def _opened(file: Path) -> sqlite3.Connection:
    with _explained(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        # A shard is made by one thread and then used by another, never by two at once.
        database = sqlite3.connect(file, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_TABLES)
        return database


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _told(file, error) from error


def _told(file: Path, error: Exception) -> TowerError:
    kind = getattr(error, "sqlite_errorname", "")
    if kind == "SQLITE_FULL":
        return TowerError(
            f"{file} cannot be written: {os.strerror(errno.ENOSPC)}", "free disk space and start again: it goes on from what is stored"
        )
    if kind.startswith("SQLITE_BUSY"):
        return TowerError(
            f"{file} has been held by another process for {_WAIT_S:.0f} s", "end the process that does not go on, and start again"
        )
    mend = f"move {file.name}, {file.name}-wal and {file.name}-shm away to have them made anew"
    return TowerError(f"{file} cannot be used: {error}", mend)
