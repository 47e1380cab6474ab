"""How many response times lie between fixed edges, counted from the response times themselves."""

from __future__ import annotations

import math

import duckdb

NAMED = ("0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100", "200", "500", "1000", "2000", "5000", "10000", "20000", "50000")
_WIDTH = 101 / 99
"""The ratio of the ends of a bucket that response times are counted in (docs/metrics.md)."""
EDGES = [_WIDTH ** math.ceil(math.log(float(edge), _WIDTH)) for edge in NAMED]
"""The first end of such a bucket at or above each edge: up to 2 % above it."""


def interval(place: int) -> str:
    """Return the dimension of the response times above the edge before `place`, and at most that of it."""
    if place == 0:
        return f"response_time_ms=[0,{NAMED[0]}]"
    return f"response_time_ms=({NAMED[place - 1]},{NAMED[place]}]" if place < len(NAMED) else f"response_time_ms=({NAMED[-1]},inf)"


def add_histogram(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the histogram of every hour and day to `rows`."""
    edges = ", ".join(map(repr, EDGES))
    names = ", ".join(f"'{interval(place)}'" for place in range(len(EDGES) + 1))
    connection.execute(f"""
        INSERT INTO rows
        WITH placed AS (
            SELECT model, model_version, segment, "window", created - created % length AS window_start,
                   len(list_filter([{edges}], lambda edge: edge < latency)) AS place
            FROM scoped, spans
            WHERE latency IS NOT NULL AND "window" IN ('1h', '1d') AND created - created % length + length > kept_after
        ), counted AS (SELECT *, count(*) AS held FROM placed GROUP BY ALL)
        SELECT model, model_version, segment, "window", window_start, ([{names}])[place + 1], 'latency_histogram', held,
               sum(held) OVER (PARTITION BY model, model_version, segment, "window", window_start)
        FROM counted
    """)
