"""Exact quantiles of response times: the value of rank ceil(q n), the inverted distribution function."""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

HOUR, WEEK = 3_600_000, 7 * 86_400_000
PERCENTILES = (50, 90, 95, 99)


def rank(percentile: int, count: int) -> int:
    """Return ceil(percentile / 100 * count) in whole numbers, so that no rounding of 0.99 can shift it."""
    return -(-percentile * count // 100)


def add_quantiles(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the four latency quantiles of every window to `rows`."""
    for percentile in PERCENTILES:
        connection.execute(f"""
            INSERT INTO rows
            WITH sorted AS (
                SELECT model, model_version, segment, "window", created - created % length AS window_start,
                       list_sort(list(latency)) AS latencies
                FROM scoped, spans
                WHERE latency IS NOT NULL AND "window" <> '7d' AND created - created % length + length > kept_after
                GROUP BY ALL
            )
            SELECT model, model_version, segment, "window", window_start, '' AS dimension, 'latency_p{percentile}_ms' AS metric,
                   latencies[({percentile} * len(latencies) + 99) // 100] AS value, len(latencies) AS n
            FROM sorted
        """)
    _add_rolling(connection)


def _add_rolling(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the quantiles of the rolling windows: a slice of each scope's response times in order of event time."""
    kept_after, newest = connection.execute("SELECT kept_after, newest FROM spans, clock WHERE \"window\" = '7d'").fetchall()[0]
    last_end = newest - newest % HOUR + HOUR
    scopes = connection.sql(
        """
        SELECT model, model_version, segment, list(created ORDER BY created) AS created, list(latency ORDER BY created) AS latency
        FROM scoped WHERE latency IS NOT NULL GROUP BY ALL
        """
    ).fetchnumpy()
    found: list[tuple[str, str, str, int, str, float, int]] = []
    for model, version, segment, times, values in zip(*scopes.values(), strict=True):
        created, latency = np.asarray(times, dtype=np.int64), np.asarray(values, dtype=np.float64)
        for end in _ends(created, last_end):
            if end > kept_after:
                first, last = np.searchsorted(created, [end - WEEK, end])
                within = np.sort(latency[first:last])
                found += [
                    (model, version, segment, end - WEEK, f"latency_p{p}_ms", float(within[rank(p, len(within)) - 1]), len(within))
                    for p in PERCENTILES
                ]
    if found:
        names = ("model", "model_version", "segment", "window_start", "metric", "value", "n")
        connection.register("rolled", pa.table(dict(zip(names, map(list, zip(*found, strict=True)), strict=True))))
        connection.execute("INSERT INTO rows SELECT model, model_version, segment, '7d', window_start, '', metric, value, n FROM rolled")


def _ends(created: npt.NDArray[np.int64], last_end: int) -> list[int]:
    """Return all full hours whose seven days before hold at least one of the times."""
    ends: set[int] = set()
    for hour in np.unique(created // HOUR * HOUR):
        ends.update(range(int(hour) + HOUR, min(int(hour) + WEEK, last_end) + 1, HOUR))
    return sorted(ends)
