"""The comparison overlooks nothing: it finds each kind of difference, and names it."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from tests.oracle.batch import compute
from tests.oracle.compare import compare
from tests.oracle.events import generate
from tests.oracle.records import lay_out

AS_PUBLISHED = """
CREATE MACRO wilson(p, n, z) AS (p + z * z / (2 * n) + z * sqrt(greatest(p * (1 - p), 0) / n + z * z / (4.0 * n * n))) / (1 + z * z / n);
CREATE TABLE published AS
SELECT *, CASE WHEN metric = 'input_null_percentage' THEN 100 * wilson(value / 100, n, -1.95996398) WHEN value BETWEEN 0 AND 1
               THEN wilson(value, n, -1.95996398) END AS low,
       CASE WHEN metric = 'input_null_percentage' THEN 100 * wilson(value / 100, n, 1.95996398) WHEN value BETWEEN 0 AND 1
            THEN wilson(value, n, 1.95996398) END AS high
FROM expected;
"""
ONE = """model = 'churn' AND model_version = '*' AND segment = '*' AND dimension = '' AND "window" = '7d'
AND window_start = (SELECT max(window_start) FROM published WHERE "window" = '7d')"""


@pytest.fixture(scope="module")
def expected() -> pa.Table:
    return compute(lay_out(generate(150, seed=3), {"predictions": 2, "outcomes": 2}, seed=3))


def published(expected: pa.Table, change: str = "") -> pa.Table:
    with duckdb.connect() as connection:
        connection.register("expected", expected)
        connection.execute(AS_PUBLISHED + change)
        return connection.sql("FROM published").to_arrow_table()


def test_equal_rows_agree(expected: pa.Table) -> None:
    comparison = compare(expected, published(expected))
    assert (comparison.agreeing, comparison.differing, comparison.account) == (expected.num_rows, 0, "")


@pytest.mark.parametrize(
    ("change", "account"),
    [
        (f"DELETE FROM published WHERE {ONE} AND metric = 'revenue'", "1 rows of revenue in 7d are missing"),
        (f"UPDATE published SET dimension = 'odd' WHERE {ONE} AND metric = 'revenue'", "1 rows of revenue in 7d are not expected"),
        (
            f"UPDATE published SET value = value + 1 WHERE {ONE} AND metric = 'prediction_volume'",
            "of prediction_volume in 7d have another value",
        ),
        (f"UPDATE published SET value = value * 1.00000001 WHERE {ONE} AND metric = 'accuracy'", "of accuracy in 7d have another value"),
        (
            f"UPDATE published SET value = value * 1.011 WHERE {ONE} AND metric = 'latency_p99_ms'",
            "of latency_p99_ms in 7d have another value",
        ),
        (f"UPDATE published SET value = NULL WHERE {ONE} AND metric = 'recall'", "of recall in 7d have another value"),
        (f"UPDATE published SET n = n + 1 WHERE {ONE} AND metric = 'recall'", "of recall in 7d have another n"),
        (f"UPDATE published SET status = 'final' WHERE {ONE} AND metric = 'recall'", "of recall in 7d have another status"),
        (f"UPDATE published SET low = value + 0.01 WHERE {ONE} AND metric = 'recall'", "of recall in 7d lie outside of their interval"),
        (f"UPDATE published SET high = 1 WHERE {ONE} AND metric = 'error_rate'", "of error_rate in 7d have no Wilson interval"),
        (f"INSERT INTO published SELECT * FROM published WHERE {ONE} AND metric = 'recall'", "there 2 times: recall of churn"),
    ],
)
def test_each_kind_of_difference_is_found_and_named(change: str, account: str, expected: pa.Table) -> None:
    comparison = compare(expected, published(expected, change))
    assert comparison.differing >= 1
    assert account in comparison.account


def test_late_events_are_left_out_and_a_quantile_may_err_by_one_percent(expected: pa.Table) -> None:
    late = f"INSERT INTO published SELECT * REPLACE ('late_events' AS metric) FROM published WHERE {ONE} AND metric = 'recall';"
    close = f"UPDATE published SET value = value * 1.0099 WHERE {ONE} AND metric = 'latency_p50_ms'"
    assert compare(expected, published(expected, late + close)).differing == 0
