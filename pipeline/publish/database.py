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
_WRITES = "writes"
_UNWRITTEN = (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException)
KEY = ("model", "model_version", "segment", "window", "window_start")
_ONE_OF = " AND ".join(f'{TABLE}."{name}" = asked."{name}"' for name in KEY)


class MetricsDatabase:
    """`tower.duckdb`, which nobody else opens: readers have the lake."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = duckdb.connect(str(file), config={"threads": 2, "memory_limit": "256MB", "preserve_insertion_order": False})
            self._make_tables()
        except duckdb.Error as error:
            if "could not set lock" in str(error).lower():
                raise HomeInUse(f"{file} is in use by another process", "stop the other pipeline, or set TOWER_HOME") from error
            raise TowerError(f"{file} cannot be opened: {error}", "free disk space, or move the file away to have it made anew") from error
        self._thread = ThreadPoolExecutor(1, "duckdb")
        self.writes: int = self._number(f"SELECT number FROM {_WRITES}")
        """How many transactions are in this file: it is stored with each of them, so that a file that was set back tells."""

    def _make_tables(self) -> None:
        self._connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f'"{name}" {kind}' for name, kind in WIDE_COLUMNS.items())
        key = ", ".join(f'"{name}"' for name in KEY)
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} ({columns}, PRIMARY KEY ({key}))")
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {_WRITES} AS SELECT 0::BIGINT AS number")

    def upsert(self, rows: pa.Table) -> Future[None]:
        """Insert or replace rows in one transaction; a key occurs once in `rows`.

        It is done in the database's own thread, in the order of the calls, while the caller goes on.
        """
        return self._thread.submit(self._upsert, rows)

    def delete(self, keys: pa.Table) -> Future[None]:
        """Drop the rows of `keys`, a table of the columns KEY, in one transaction."""
        return self._thread.submit(self._delete, keys)

    def existing(self, keys: pa.Table) -> list[int]:
        """Return the positions of those of `keys` (columns KEY) that have a row; waits for all writes before."""
        return self._thread.submit(self._existing, keys).result()

    def forget(self, oldest_ends: Mapping[str, int]) -> Future[None]:
        """Drop the rows of each window that end at or before its time."""
        return self._thread.submit(self._forget, dict(oldest_ends))

    @property
    def has_history(self) -> bool:
        """Whether all that was published before this database is in it, or marked to be put there: see `note_history`."""
        with self._telling():
            return bool(self._connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [_WITH_HISTORY]).fetchall())

    def note_history(self) -> None:
        """Note that what was published before is marked to be put here."""
        with self._telling():
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {_WITH_HISTORY} (noted_at TIMESTAMPTZ DEFAULT now())")

    def newest_revision(self) -> int:
        """Return the largest revision of all rows; 0 when there are none."""
        return self._number(f"SELECT max(revision) FROM {TABLE}")

    def reader(self) -> duckdb.DuckDBPyConnection:
        """Return a connection for another thread, which sees what has been committed."""
        return self._connection.cursor()

    def close(self) -> None:
        """Write the file out and let go of it."""
        self._thread.shutdown()
        self._connection.close()

    def _upsert(self, rows: pa.Table) -> None:
        self._write("flushed", rows, f"INSERT OR REPLACE INTO {TABLE} SELECT * FROM flushed")

    def _delete(self, keys: pa.Table) -> None:
        self._write("asked", keys, f"DELETE FROM {TABLE} USING asked WHERE {_ONE_OF}")

    def _write(self, name: str, given: pa.Table, sql: str) -> None:
        with self._telling():
            self._connection.register(name, given)
            self._connection.begin()
            self._connection.execute(sql)
            self._connection.execute(f"UPDATE {_WRITES} SET number = ?", [self.writes + 1])
            self._connection.commit()
            self._connection.unregister(name)
        self.writes += 1

    def _existing(self, keys: pa.Table) -> list[int]:
        with self._telling():
            numbered = keys.append_column("position", pa.array(range(len(keys)), pa.int64()))
            self._connection.register("asked", numbered)
            found = self._connection.execute(f"SELECT position FROM asked JOIN {TABLE} ON {_ONE_OF} ORDER BY position").fetchall()
            self._connection.unregister("asked")
        return [int(position) for (position,) in found]

    def _number(self, sql: str) -> int:
        with self._telling():
            found = self._connection.execute(sql).fetchall()
        return int(found[0][0] or 0) if found else 0

    def _forget(self, oldest_ends: dict[str, int]) -> None:
        with self._telling():
            for window, end in oldest_ends.items():
                self._connection.execute(
                    f'DELETE FROM {TABLE} WHERE "window" = ? AND window_end <= make_timestamptz(? * 1000)', [window, end]
                )

    @contextmanager
    def _telling(self) -> Iterator[None]:
        with telling(self._file):
            yield


@contextmanager
def telling(file: Path) -> Iterator[None]:
    """Raise TowerError with its mend for what DuckDB, the disk or the memory did not bear, here or in a reader of the same database.

    DuckDB takes no more writes after that, and the next start goes on from what is stored.
    """
    try:
        yield
    except (duckdb.ProgrammingError, duckdb.DataError):
        raise  # these would be ours
    except duckdb.OutOfMemoryException as error:
        raise TowerError(f"{file}: DuckDB has not enough memory: {error}", "free memory and start again") from error
    except duckdb.Error as error:
        if "corrupt" in str(error).lower() or not isinstance(error, _UNWRITTEN):
            raise TowerError(f"{file} is damaged: {error}", "move the file away to have it made anew") from error
        raise TowerError(f"{file} cannot be written: {error}", "free disk space and start again: it goes on from what is stored") from error


def database_file(home: Path) -> Path:
    """Return the path of the database."""
    return home / "tower.duckdb"
