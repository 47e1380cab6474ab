"""A DuckDB that reaches the rows of the lake and nothing else: for SQL of people who have no account on this machine.

The lake's files are opened by PyArrow before the statement is known, and DuckDB, which runs it, is given their rows. It has no access
to files or the network at all, not even to those of the lake, and can load no extension; its settings are locked. It keeps all in
memory, which has a limit.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset

from query.reading import SEALED
from schemas.lake import metrics_folder, no_metrics_sql, view_sql

_EXPORTED = "exported"
"""The name under which the wide rows are registered."""


def open_sandbox(home: Path, *, memory_mb: int) -> duckdb.DuckDBPyConnection:
    """Return a connection with the view `metrics` over what the lake has now; times are in UTC.

    Raises OSError and duckdb.Error, as when a file is replaced by a newer one while the lake is listed.
    """
    # Whatever else runs on this machine goes first.
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    connection = duckdb.connect(":memory:", config={**SEALED, "memory_limit": f"{memory_mb}MB"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.register(_EXPORTED, _dataset(home, connection.sql(no_metrics_sql()).to_arrow_table().schema))
    connection.execute(f"CREATE VIEW metrics AS {view_sql(f'SELECT * FROM {_EXPORTED}')}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _dataset(home: Path, schema: pa.Schema) -> pa.dataset.Dataset:
    folder = metrics_folder(home)
    files = sorted(str(path) for path in folder.glob("window=*/*.parquet"))
    if not files:
        return pa.dataset.dataset(schema.empty_table())
    by_window = pa.dataset.partitioning(pa.schema([schema.field("window")]), flavor="hive")
    return pa.dataset.dataset(files, schema=schema, format="parquet", partitioning=by_window, partition_base_dir=str(folder))
