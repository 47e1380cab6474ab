"""What the pipeline says against what the batch computation says, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

_KEYS = 'model, model_version, segment, dimension, metric, "window", window_start'
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many rows agree, and a readable account of the first that do not."""

    agreeing: int
    differing: int
    account: str


def compare(expected: pa.Table, actual: pa.Table) -> Comparison:
    """Compare rows by key: counts exactly, quantiles within 1 %, all else within 1e-9, and intervals around their values.

    The throughput of an open window may be as old as its last event.

    `late_events` depends on the order of reading and is left out. A row that is there twice differs.
    """
    with duckdb.connect() as connection:
        connection.register("expected", expected)
        connection.register("published", actual)
        connection.execute(_JUDGE)
        twice = connection.sql(f"SELECT {_KEYS}, count(*) FROM actual GROUP BY ALL HAVING count(*) > 1 LIMIT {SHOWN}").fetchall()
        agreeing, differing = connection.sql(
            "SELECT count(*) FILTER (verdict = ''), count(*) FILTER (verdict <> '') FROM judged"
        ).fetchall()[0]
        kinds = connection.sql(_KINDS).fetchall()
        first = connection.sql(_FIRST).fetchall()
    account = [f"there {count} times: {_place(*key)}" for *key, count in twice]
    account += [f"{count} rows of {metric} in {window} {verdict}" for verdict, metric, window, count in kinds]
    account += [f"{verdict}: {_place(*key)}\n    expected {wanted}\n    found    {found}" for verdict, wanted, found, *key in first]
    return Comparison(agreeing, differing + len(twice), "\n".join(account))


def _place(model: str, version: str, segment: str, dimension: str, metric: str, window: str, start: int) -> str:
    moment = datetime.fromtimestamp(start / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = f"{metric}[{dimension}]" if dimension else metric
    return f"{name} of {model} version {version} segment {segment} in {window} from {moment} ({start})"


# The bounds of a Wilson score interval (Wilson, "Probable inference", JASA 1927), z of 95 %.
_WILSON = """
CREATE MACRO wilson(p, n, z) AS
    (p + z * z / (2 * n) + z * sqrt(greatest(p * (1 - p), 0) / n + z * z / (4.0 * n * n))) / (1 + z * z / n);
"""
_JUDGE = f"""
{_WILSON}
CREATE TABLE actual AS SELECT * FROM published WHERE metric <> 'late_events';

CREATE TABLE joined AS
SELECT *, CASE WHEN metric = 'input_null_percentage' THEN 100 ELSE 1 END AS unit,
       CASE WHEN metric IN ('latency_p50_ms', 'latency_p90_ms', 'latency_p95_ms', 'latency_p99_ms') THEN 0.01000001 * abs(e.value) + 1e-6
            WHEN metric IN ('prediction_volume', 'duplicate_predictions', 'latency_histogram', 'confusion') THEN 0
            ELSE 1e-9 * greatest(abs(e.value), 1) END AS tolerance
FROM (SELECT {_KEYS}, struct_pack(window_end, value, n, status, most) AS e FROM expected)
FULL JOIN (SELECT {_KEYS}, struct_pack(window_end, value, n, status, low, high) AS a FROM actual)
USING ({_KEYS});

CREATE TABLE judged AS
SELECT *, CASE
    WHEN a IS NULL THEN 'are missing'
    WHEN e IS NULL THEN 'are not expected'
    WHEN a.n <> e.n THEN 'have another n'
    WHEN NOT coalesce(a.value BETWEEN e.value - tolerance AND coalesce(e.most, e.value) + tolerance, false) THEN 'have another value'
    WHEN a.status <> e.status THEN 'have another status'
    WHEN a.window_end <> e.window_end THEN 'have another window_end'
    WHEN greatest(a.low - a.value, a.value - a.high) > 1e-9 * greatest(abs(a.value), 1) THEN 'lie outside of their interval'
    WHEN metric IN ('error_rate', 'label_coverage', 'accuracy', 'conversion_rate', 'input_null_percentage')
         AND NOT coalesce(abs(a.low / unit - wilson(a.value / unit, a.n, -1.959963984540054)) < 1e-6
                          AND abs(a.high / unit - wilson(a.value / unit, a.n, 1.959963984540054)) < 1e-6, false)
         THEN 'have no Wilson interval'
    ELSE '' END AS verdict
FROM joined;
"""
_KINDS = """
SELECT verdict, metric, "window", count(*) FROM judged WHERE verdict <> '' GROUP BY ALL ORDER BY 4 DESC, 1, 2, 3 LIMIT 30
"""
_FIRST = f"""
SELECT verdict, CASE WHEN e IS NOT NULL THEN printf('%.12g n=%d %s', e.value, e.n, e.status) END AS wanted,
       CASE WHEN a IS NOT NULL THEN printf('%.12g n=%d %s', a.value, a.n, a.status) || concat(' [', a.low, ', ', a.high, ']') END AS found,
       {_KEYS}
FROM judged WHERE verdict <> '' ORDER BY ALL LIMIT {SHOWN}
"""
