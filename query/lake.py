"""Running a read-only SQL statement over the lake: an in-memory DuckDB that never opens the pipeline's own file."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil

from query.reading import refuse_unless_reading
from schemas.errors import TowerError
from schemas.lake import as_pattern, metrics_folder, metrics_view_sql, quoted

VIEWS = ("metrics",)
LATER_VIEWS = {"alerts": "the alerts", "predictions": "the archive", "outcomes": "the archive"}
_TRIES = 5
_BATCH_ROWS = 2048
_LOOK_EVERY_S = 0.5
_STOPS_WITHIN_S = 2.0
_LEAST_MEMORY_MB = 256


@dataclass(frozen=True, slots=True)
class Result:
    """The names and DuckDB types of the columns, and the rows in batches."""

    columns: list[str]
    types: list[str]
    batches: Iterator[list[tuple[object, ...]]]


def run_query(home: Path, sql: str) -> Result:
    """Return the rows of one SELECT over the view `metrics`; times are in UTC.

    A file of the lake may be replaced between the listing and the reading: the query is then run again.
    Raises TowerError with what DuckDB says in one line, and ConfigurationError for something other than one statement that reads.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            return _run_once(home, sql)
        except duckdb.IOException as error:
            if attempt == _TRIES:
                raise TowerError(f"the lake cannot be read: {one_line(error)}", "try again; if it stays so, see ./tower doctor") from error
        except duckdb.Error as error:
            raise explained(error) from error
        except RuntimeError as error:
            raise _interruption(error) from error
        except OSError as error:
            raise TowerError(f"the lake cannot be read: {error.strerror} ({error.filename})", "set TOWER_HOME to a folder") from error
    raise AssertionError("the last try returns or raises")


def _run_once(home: Path, sql: str) -> Result:
    refuse_unless_reading(sql)
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET memory_limit = '{max(_LEAST_MEMORY_MB, psutil.virtual_memory().total // 4_000_000)}MB'")
    # Made by DuckDB when it needs it, and by default in the folder that the command is called from.
    spill = Path(tempfile.gettempdir()) / f"tower-query-{uuid.uuid4().hex}"
    connection.execute(f"SET temp_directory = {quoted(str(spill))}")
    connection.execute(f"CREATE VIEW metrics AS {metrics_view_sql(home)}")
    # The statement comes from outside: it may read the lake and nothing else. DuckDB knows no directory that is for reading alone.
    folder = metrics_folder(home)
    connection.execute(f"SET allowed_directories = [{quoted(str(folder))}, {quoted(as_pattern(folder))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    cursor = _interruptibly(connection, sql, spill)
    description = cursor.description or []
    # Read here, inside the retry, the first batch is what fails when a file has gone.
    first = cursor.fetchmany(_BATCH_ROWS)
    return Result([column[0] for column in description], [str(column[1]) for column in description], _batches(cursor, first))


def _interruptibly(connection: duckdb.DuckDBPyConnection, sql: str, spill: Path) -> duckdb.DuckDBPyConnection:
    """Run a statement in a thread: Python looks for a Ctrl-C only between its own steps, and this can be one step of minutes.

    DuckDB is asked to stop, which within some of its tasks it does not see; then the process ends, which has nothing to save.
    """
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(connection.execute, sql)
        try:
            while not wait([running], _LOOK_EVERY_S).done:
                continue
        except KeyboardInterrupt:
            connection.interrupt()
            if not wait([running], _STOPS_WITHIN_S).done:
                shutil.rmtree(spill, ignore_errors=True)
                os._exit(130)
            raise
        return running.result()


def _batches(cursor: duckdb.DuckDBPyConnection, first: list[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    batch = first
    try:
        while batch:
            yield batch
            batch = cursor.fetchmany(_BATCH_ROWS)
    except duckdb.Error as error:
        raise TowerError(f"the result ended early: {one_line(error)}", "run the query again") from error
    except RuntimeError as error:
        raise _interruption(error) from error


def _interruption(error: RuntimeError) -> BaseException:
    """Return the KeyboardInterrupt that DuckDB has replaced by an error of its own, or the error when it is another one."""
    return KeyboardInterrupt() if "interrupted" in str(error).lower() else error


def explained(error: duckdb.Error) -> TowerError:
    """Return what DuckDB says in one line, and how to mend it."""
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return TowerError(one_line(error), "ask for fewer rows at a time")
    missing = re.search(r"Table with name (\w+) does not exist", text)
    if missing is None:
        return TowerError(one_line(error), "correct the SQL")
    name = missing[1].lower()
    if name in LATER_VIEWS:
        what = f"there is no view {name} yet: it comes with {LATER_VIEWS[name]}, a part that is not there"
        return TowerError(what, f"query {' or '.join(VIEWS)}")
    return TowerError(f"there is no table {missing[1]}", f"the views are: {', '.join(VIEWS)}")


def one_line(error: Exception) -> str:
    """Return what DuckDB says without its picture of the line: the message, and the candidates that it offers."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith("LINE ") and set(line) - set("^ ")]
    return "; ".join(telling) or type(error).__name__
