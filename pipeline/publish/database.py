"""The metrics in DuckDB: one owner, one connection, one transaction a flush."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.errors import HomeInUse, TowerError
from schemas.lake import WIDE_COLUMNS

TABLE = "metric_windows"
_WITH_HISTORY = "with_history"
_KEY = ("model", "model_version", "segment", "window", "window_start")


class MetricsDatabase:
    """`tower.duckdb`, which nobody else opens: readers have the lake."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = duckdb.connect(str(file), config={"threads": 2, "memory_limit": "256MB", "preserve_insertion_order": False})
        except duckdb.IOException as error:
            if "could not set lock" in str(error).lower():
                raise HomeInUse(f"{file} is in use by another process", "stop the other pipeline, or set TOWER_HOME") from error
            raise TowerError(f"{file} cannot be opened: {error}", "free disk space, or move the file away to have it made anew") from error
        self._thread = ThreadPoolExecutor(1, "duckdb")
        self._connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f'"{name}" {kind}' for name, kind in WIDE_COLUMNS.items())
        key = ", ".join(f'"{name}"' for name in _KEY)
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} ({columns}, PRIMARY KEY ({key}))")

    def upsert(self, rows: pa.Table) -> Future[None]:
        """Insert or replace rows in one transaction; a key occurs once in `rows`.

        It is done in the database's own thread, in the order of the calls, while the caller goes on.
        """
        return self._thread.submit(self._upsert, rows)

    def forget(self, oldest_ends: Mapping[str, int]) -> Future[None]:
        """Drop the rows of each window that end at or before its time."""
        return self._thread.submit(self._forget, dict(oldest_ends))

    @property
    def has_history(self) -> bool:
        """Whether all that was published before this database is in it, or marked to be put there: see `note_history`."""
        return bool(self._connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [_WITH_HISTORY]).fetchall())

    def note_history(self) -> None:
        """Note that what was published before is marked to be put here."""
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {_WITH_HISTORY} (noted_at TIMESTAMPTZ DEFAULT now())")

    def newest_revision(self) -> int:
        """Return the largest revision of all rows; 0 when there are none."""
        found = self._connection.execute(f"SELECT max(revision) FROM {TABLE}").fetchall()
        return int(found[0][0] or 0)

    def reader(self) -> duckdb.DuckDBPyConnection:
        """Return a connection for another thread, which sees what has been committed."""
        return self._connection.cursor()

    def close(self) -> None:
        """Write the file out and let go of it."""
        self._thread.shutdown()
        self._connection.close()

    def _upsert(self, rows: pa.Table) -> None:
        with self._telling():
            self._connection.register("flushed", rows)
            self._connection.execute(f"INSERT OR REPLACE INTO {TABLE} SELECT * FROM flushed")
            self._connection.unregister("flushed")

    def _forget(self, oldest_ends: dict[str, int]) -> None:
        with self._telling():
            for window, end in oldest_ends.items():
                self._connection.execute(
                    f'DELETE FROM {TABLE} WHERE "window" = ? AND window_end <= make_timestamptz(? * 1000)', [window, end]
                )

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say what the disk did not take: DuckDB takes no more writes after that, and the next start goes on from what is stored."""
        try:
            yield
        except (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException) as error:
            raise TowerError(
                f"{self._file} cannot be written: {error}", "free disk space and start again: it goes on from what is stored"
            ) from error
