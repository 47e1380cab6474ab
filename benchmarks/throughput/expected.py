"""What the simple job must come to: SQL over a copy of the events, in DuckDB, which shares no code with any candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.throughput.job import WINDOW_MS

WindowKey = tuple[str, int]
"""Model, window start in epoch ms."""


@dataclass(frozen=True, slots=True)
class ExpectedWindow:
    """One window's answer: events, p99 in ms by nearest rank and by linear interpolation, percentage of nulls."""

    events: int
    p99: float
    p99_interpolated: float
    null_percentage: float


@dataclass(frozen=True, slots=True)
class Expected:
    """The answers over every delivery, and over each prediction id once."""

    deliveries: Mapping[WindowKey, ExpectedWindow]
    distinct: Mapping[WindowKey, ExpectedWindow]


def expected_windows(copy: Path) -> Expected:
    """Compute the answers from `copy`, the predictions as written, one JSON object a line."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2; SET enable_progress_bar = false")
        connection.execute(
            f"""
            CREATE TABLE events AS
            SELECT prediction_id, model, created_at - created_at % {WINDOW_MS} AS start, response_time_ms AS latency,
                   len(json_keys(features)) AS sent,
                   len(list_filter(json_extract(features, '$.*'), lambda feature: json_type(feature) = 'NULL')) AS nulls
            FROM read_json(?, format = 'newline_delimited', columns = {{prediction_id: 'VARCHAR', model: 'VARCHAR',
                           created_at: 'BIGINT', response_time_ms: 'DOUBLE', features: 'JSON'}})
            """,
            [str(copy)],
        )
        return Expected(_windows(connection, "events"), _windows(connection, "(SELECT DISTINCT ON (model, prediction_id) * FROM events)"))


def _windows(connection: duckdb.DuckDBPyConnection, events: str) -> dict[WindowKey, ExpectedWindow]:
    rows = connection.execute(
        f"""
        WITH ranked AS (
            SELECT *, row_number() OVER (PARTITION BY model, start ORDER BY latency) AS rank,
                   count(*) OVER (PARTITION BY model, start) AS total
            FROM {events}
        )
        SELECT model, start, count(*), max(latency) FILTER (rank = ceil(0.99 * total)), quantile_cont(latency, 0.99),
               100.0 * sum(nulls) / sum(sent)
        FROM ranked GROUP BY model, start
        """
    ).fetchall()
    return {(model, start): ExpectedWindow(*answer) for model, start, *answer in rows}
