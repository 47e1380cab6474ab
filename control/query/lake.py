"""Running a read-only SQL statement over the lake: an in-memory DuckDB that never opens the pipeline's own file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from schemas.errors import ConfigurationError, TowerError
from schemas.lake import metrics_folder, metrics_view_sql

VIEWS = ("metrics",)
LATER_VIEWS = {"alerts": "the alerts", "predictions": "the archive", "outcomes": "the archive"}
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_TRIES = 5
_BATCH_ROWS = 2048


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
                raise TowerError(f"the lake cannot be read: {_one_line(error)}", "try again; if it stays so, see ./tower doctor") from error
        except duckdb.Error as error:
            raise _explained(error) from error
    raise AssertionError("the last try returns or raises")


def _run_once(home: Path, sql: str) -> Result:
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise ConfigurationError(
            f"expected one SQL statement, got {len(statements)}", 'write one: ./tower query "SELECT * FROM metrics LIMIT 5"'
        )
    kind = statements[0].type
    is_pivot = kind == duckdb.StatementType.MULTI and re.search(r"\bpivot\b", sql, re.IGNORECASE) is not None
    if kind not in _READING and not is_pivot:
        raise ConfigurationError(f"{kind.name} is not a statement that reads", "write a SELECT")
    connection.execute(f"CREATE VIEW metrics AS {metrics_view_sql(home)}")
    folder = str(metrics_folder(home)).replace("'", "''")
    # The statement comes from outside: it may read the lake and nothing else.
    connection.execute(f"SET allowed_directories = ['{folder}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    cursor = connection.execute(sql)
    description = cursor.description or []
    # Read here, inside the retry, the first batch is what fails when a file has gone.
    first = cursor.fetchmany(_BATCH_ROWS)
    return Result([column[0] for column in description], [str(column[1]) for column in description], _batches(cursor, first))


def _batches(cursor: duckdb.DuckDBPyConnection, first: list[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    batch = first
    try:
        while batch:
            yield batch
            batch = cursor.fetchmany(_BATCH_ROWS)
    except duckdb.Error as error:
        raise TowerError(f"the result ended early: {_one_line(error)}", "run the query again") from error


def _explained(error: duckdb.Error) -> TowerError:
    text = str(error)
    missing = re.search(r"Table with name (\w+) does not exist", text)
    if missing is None:
        return TowerError(_one_line(error), "correct the SQL")
    name = missing[1].lower()
    if name in LATER_VIEWS:
        what = f"there is no view {name} yet: it comes with {LATER_VIEWS[name]}, a part that is not there"
        return TowerError(what, f"query {' or '.join(VIEWS)}")
    return TowerError(f"there is no table {missing[1]}", f"the views are: {', '.join(VIEWS)}")


def _one_line(error: duckdb.Error) -> str:
    """Return what DuckDB says without its picture of the line: the message, and the candidates that it offers."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith("LINE ") and set(line) - set("^ ")]
    return "; ".join(telling) or type(error).__name__
