"""The batch computation: every metric row that the contract promises, from the whole log at once.

DuckDB counts and sums; quantiles are exact; scikit-learn judges classes. Nothing here knows the pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from tests.oracle.classes import add_classification
from tests.oracle.histogram import add_histogram
from tests.oracle.loading import load
from tests.oracle.quantiles import add_quantiles
from tests.oracle.records import Record

HOUR, DAY = 3_600_000, 86_400_000
LENGTH = {"10s": 10_000, "1m": 60_000, "1h": HOUR, "1d": DAY, "7d": 7 * DAY}
RETENTION = {"10s": 6 * HOUR, "1m": 2 * DAY, "1h": 400 * DAY, "1d": 3650 * DAY, "7d": 400 * DAY}
SCOPE = 'model, model_version, segment, "window", window_start'


@dataclass(frozen=True, slots=True)
class Rule:
    """What is configured of a model: its `task`, and its positive class as a key of `loading.scalar`."""

    task: str = ""
    positive: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings that numbers depend on; times in milliseconds."""

    lateness: int = 60_000
    retention: Mapping[str, int] = field(default_factory=lambda: dict(RETENTION))
    rules: Mapping[str, Rule] = field(default_factory=dict)


def compute(records: Iterable[Record], configuration: Configuration | None = None) -> pa.Table:
    """Return all rows: model, model_version, segment, dimension, metric, window, window_start, window_end, value, n, status, most.

    Times are epoch ms. `most` is null but for the throughput of an open window: that falls while no event comes, and a
    published value may be as old as the window's last event, so it may lie between `value` and `most`.
    `late_events` is left out: it depends on the order of reading.
    """
    configuration = configuration or Configuration()
    deliveries, outcomes = load(records)
    with duckdb.connect() as connection:
        connection.register("delivered", deliveries)
        connection.register("told", outcomes)
        _join(connection, configuration)
        _define_windows(connection, configuration)
        _pool(connection)
        connection.execute(f"CREATE TABLE rows AS {_COUNTED}")
        add_quantiles(connection)
        add_histogram(connection)
        add_classification(connection)
        return connection.sql(_RESULT, params=[configuration.lateness]).to_arrow_table()


def _join(connection: duckdb.DuckDBPyConnection, configuration: Configuration) -> None:
    """Make `facts` (each id once, with what is known of it), `repeats`, and both spread over their scopes."""
    rules = [(model, rule.task, rule.positive) for model, rule in configuration.rules.items()]
    connection.execute("CREATE TABLE rules (model VARCHAR, task VARCHAR, positive VARCHAR)")
    if rules:
        connection.executemany("INSERT INTO rules VALUES (?, ?, ?)", rules)
    connection.execute(_JOINED)


def _define_windows(connection: duckdb.DuckDBPyConnection, configuration: Configuration) -> None:
    """Make `spans`: each window's length, and the time that its end must pass to be kept."""
    connection.execute('CREATE TABLE spans ("window" VARCHAR, length BIGINT, kept_after BIGINT)')
    for window, length in LENGTH.items():
        connection.execute("INSERT INTO spans SELECT ?, ?, newest - ? FROM clock", [window, length, configuration.retention[window]])


def _pool(connection: duckdb.DuckDBPyConnection) -> None:
    """Sum the scoped facts in every window, tumbling and rolling."""
    pooled(connection, "sums", "measured", (), _MEASURES)
    pooled(connection, "inputs", "given", ("feature",), {"sent": "sum", "nulls": "sum"})
    pooled(connection, "arms", "known", ("variant",), {"known": "sum", "converted": "sum"})
    pooled(connection, "confusion", "pairs", ("answer", "label"), {"pairs": "sum"})


def pooled(connection: duckdb.DuckDBPyConnection, name: str, source: str, keys: tuple[str, ...], measures: Mapping[str, str]) -> None:
    """Make table `name`: the measures of `source`, summed (or the largest) per scope, window and keys.

    A rolling window ends on a full hour, up to the one after the newest event, and sums the hours before it.
    """
    extra = "".join(f", {key}" for key in keys)
    totals = ", ".join(f"{how}({measure}) AS {measure}" for measure, how in measures.items())
    connection.execute(f"""
        CREATE TABLE {name} AS
        WITH hours AS (
            SELECT model, model_version, segment, created - created % {HOUR} AS hour{extra}, {totals}
            FROM {source} GROUP BY ALL
        ), ends AS (
            SELECT * EXCLUDE (hour),
                   unnest(range(hour + {HOUR}, least(hour + {7 * DAY}, newest - newest % {HOUR} + {HOUR}) + 1, {HOUR})) AS window_end
            FROM hours, clock
        )
        SELECT model, model_version, segment, "window", created - created % length AS window_start{extra}, {totals}
        FROM {source}, spans
        WHERE "window" <> '7d' AND created - created % length + length > kept_after
        GROUP BY ALL
        UNION ALL
        SELECT model, model_version, segment, "window", window_end - length AS window_start{extra}, {totals}
        FROM ends, spans
        WHERE "window" = '7d' AND window_end > kept_after
        GROUP BY ALL
    """)


_MEASURES = {
    "volume": "sum",
    "latest": "max",
    "failed": "sum",
    "timed": "sum",
    "milliseconds": "sum",
    "slowest": "max",
    "labelled": "sum",
    "numbers": "sum",
    "absolute": "sum",
    "squared": "sum",
    "paid": "sum",
    "revenue": "sum",
    "repeated": "sum",
}

_JOINED = """
CREATE TABLE clock AS
SELECT greatest(coalesce(max(created), 0), (SELECT coalesce(max(created), 0) FROM told)) AS newest FROM delivered;

CREATE TABLE ranked AS
SELECT *, row_number() OVER (PARTITION BY model, id ORDER BY "partition", "offset") AS delivery FROM delivered;

CREATE TABLE labels AS
SELECT model, id, label, label_number, label_is_float FROM told WHERE label IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY model, id ORDER BY created DESC, "offset" DESC) = 1;

CREATE TABLE conversions AS
SELECT model, id, converted FROM told WHERE converted IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY model, id ORDER BY created DESC, "offset" DESC) = 1;

CREATE TABLE revenues AS
SELECT model, id, revenue FROM told WHERE revenue IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY model, id ORDER BY created DESC, "offset" DESC) = 1;

CREATE TABLE facts AS
SELECT ranked.*, label, converted, revenue,
       CASE WHEN answer_number IS NULL OR label_number IS NULL THEN false
            ELSE CASE task WHEN 'regression' THEN true WHEN 'binary' THEN false WHEN 'multiclass' THEN false
                      ELSE answer_is_float OR label_is_float END
       END AS numeric_pair,
       answer_number - label_number AS error
FROM ranked LEFT JOIN labels USING (model, id) LEFT JOIN conversions USING (model, id) LEFT JOIN revenues USING (model, id)
LEFT JOIN rules USING (model)
WHERE delivery = 1;

CREATE TABLE scoped AS
SELECT * EXCLUDE (version, segments), unnest(['*', version]) AS model_version, segment
FROM (SELECT *, unnest(list_concat(['*'], segments)) AS segment FROM facts);

CREATE TABLE measured AS
SELECT model, model_version, segment, created, 1 AS volume, created AS latest, failed::INT AS failed,
       (latency IS NOT NULL)::INT AS timed, latency AS milliseconds, latency AS slowest, (label IS NOT NULL)::INT AS labelled,
       numeric_pair::INT AS numbers,
       CASE WHEN numeric_pair THEN abs(error) END AS absolute, CASE WHEN numeric_pair THEN error * error END AS squared,
       (revenue IS NOT NULL)::INT AS paid, revenue, 0 AS repeated
FROM scoped
UNION ALL
SELECT model, unnest(['*', version]), segment, created, 0, NULL, 0, 0, NULL, NULL, 0, 0, NULL, NULL, 0, NULL, 1
FROM (SELECT *, unnest(list_concat(['*'], segments)) AS segment FROM ranked WHERE delivery > 1);

CREATE TABLE given AS
SELECT model, model_version, segment, created, unnest(features) AS feature, 1 AS sent, unnest(nulls)::INT AS nulls FROM scoped;

CREATE TABLE known AS
SELECT model, model_version, segment, created, coalesce(variant, '') AS variant, 1 AS known, converted::INT AS converted
FROM scoped WHERE converted IS NOT NULL;

CREATE TABLE pairs AS
SELECT model, model_version, segment, created, answer, label, 1 AS pairs
FROM scoped WHERE answer IS NOT NULL AND label IS NOT NULL AND NOT numeric_pair;
"""


def _row(metric: str, value: str, n: str, source: str = "sums", dimension: str = "''") -> str:
    """Return the SELECT of one metric, for the windows where its `n` is above 0."""
    return f"""
        SELECT {SCOPE}, {dimension} AS dimension, '{metric}' AS metric, ({value})::DOUBLE AS value, ({n})::BIGINT AS n
        FROM {source} WHERE ({n}) > 0"""


_TIMED = 'sums JOIN spans USING ("window"), clock'
_VARIANTS = "(SELECT * FROM arms WHERE variant <> '')"
_CONTROLLED = f"""(
    SELECT treated.*, control.known AS control_known, control.converted / control.known AS base, treated.converted / treated.known AS rate
    FROM {_VARIANTS} treated JOIN (SELECT * FROM arms WHERE variant = 'control') control
    USING (model, model_version, segment, "window", window_start)
    WHERE treated.variant <> 'control')"""
_EVERYONE = f"(SELECT {SCOPE}, sum(known) AS known, sum(converted) AS converted FROM arms GROUP BY ALL)"
_ALL_INPUTS = f"(SELECT {SCOPE}, sum(sent) AS sent, sum(nulls) AS nulls FROM inputs GROUP BY ALL)"

_COUNTED = " UNION ALL ".join(
    (
        _row("prediction_volume", "volume", "volume"),
        _row("throughput_per_s", "volume * 1000 / least(length, newest - window_start)", "volume", _TIMED),
        _row("error_rate", "failed / volume", "volume"),
        _row("latency_avg_ms", "milliseconds / timed", "timed"),
        _row("latency_max_ms", "slowest", "timed"),
        _row("label_coverage", "labelled / volume", "volume"),
        _row("mae", "absolute / numbers", "numbers"),
        _row("rmse", "sqrt(squared / numbers)", "numbers"),
        _row("revenue", "revenue", "paid"),
        _row("revenue_per_prediction", "revenue / volume", "CASE WHEN paid > 0 THEN volume END"),
        _row("duplicate_predictions", "repeated", "repeated"),
        _row("input_null_percentage", "100 * nulls / sent", "sent", "inputs", "'feature=' || feature"),
        _row("input_null_percentage", "100 * nulls / sent", "sent", _ALL_INPUTS),
        _row("conversion_rate", "converted / known", "known", _VARIANTS, "'variant=' || variant"),
        _row("conversion_rate", "converted / known", "known", _EVERYONE),
        _row("conversion_rate_uplift", "rate - base", "known + control_known", _CONTROLLED, "'variant=' || variant"),
        _row(
            "conversion_rate_uplift_relative",
            "rate / base - 1",
            "CASE WHEN base > 0 THEN known + control_known END",
            _CONTROLLED,
            "'variant=' || variant",
        ),
    )
)

_RESULT = f"""
    SELECT model, model_version, segment, dimension, metric, "window", window_start, window_start + length AS window_end, value, n,
           CASE WHEN newest >= window_start + length + ? THEN 'final' ELSE 'provisional' END AS status, most
    FROM rows JOIN spans USING ("window") CROSS JOIN clock
    LEFT JOIN (
        SELECT {SCOPE}, 'throughput_per_s' AS metric, coalesce(volume * 1000 / nullif(latest - window_start, 0), 'infinity') AS most
        FROM sums JOIN spans USING ("window"), clock WHERE window_start + length > newest
    ) open USING ({SCOPE}, metric)
"""
