"""Accuracy, precision, recall and F1 by scikit-learn, for all groups in one call.

A group's class is made one label of its own (group x class), so scikit-learn's scores per label are
the scores of that class in that group.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa
from sklearn.metrics import precision_recall_fscore_support

from tests.oracle.loading import class_json, class_name


def add_classification(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the classification rows of every window to `rows`, from the pooled table `confusion`."""
    connection.execute(_CODED)
    coded = connection.sql("SELECT actual, predicted, pairs FROM coded").fetchnumpy()
    if len(coded["pairs"]) == 0:
        return
    precision, recall, f1, _ = precision_recall_fscore_support(
        coded["actual"], coded["predicted"], average=None, sample_weight=coded["pairs"], zero_division=0
    )
    labels = connection.sql(
        "SELECT DISTINCT code FROM (SELECT actual AS code FROM coded UNION ALL SELECT predicted FROM coded) ORDER BY code"
    ).to_arrow_table()["code"]
    connection.register("scored", pa.table({"code": labels, "precision": precision, "recall": recall, "f1_score": f1}))
    names = connection.sql("SELECT class FROM class_codes ORDER BY class").to_arrow_table()["class"]
    keys = names.to_pylist()
    texts = {"name": [class_name(key) for key in keys], "json": [class_json(key) for key in keys]}
    connection.register("class_names", pa.table({"class": names, **texts}))
    connection.execute(_ROWS)


_CODED = """
CREATE TABLE class_codes AS
SELECT class, row_number() OVER (ORDER BY class) AS number
FROM (SELECT answer AS class FROM confusion UNION SELECT label FROM confusion);

CREATE TABLE groups AS
SELECT model, model_version, segment, "window", window_start, row_number() OVER () AS number,
       sum(pairs)::BIGINT AS pairs, sum(CASE WHEN answer = label THEN pairs ELSE 0 END)::BIGINT AS hits,
       count(*) AS kinds, bool_and(answer IN ('i:0', 'i:1') AND label IN ('i:0', 'i:1')) AS zero_one
FROM confusion GROUP BY ALL;

CREATE TABLE coded AS
SELECT groups.number * 100000 + actual_class.number AS actual, groups.number * 100000 + predicted_class.number AS predicted,
       confusion.pairs::DOUBLE AS pairs
FROM confusion JOIN groups USING (model, model_version, segment, "window", window_start)
JOIN class_codes actual_class ON actual_class.class = label JOIN class_codes predicted_class ON predicted_class.class = answer;
"""

_ROWS = """
CREATE TABLE judged AS
SELECT groups.*, coalesce(nullif(positive, ''), 'i:1') AS positive,
       coalesce(positive, '') <> '' OR coalesce(task, '') = 'binary' OR (zero_one AND coalesce(task, '') <> 'multiclass') AS of_positive
FROM groups LEFT JOIN rules USING (model);

INSERT INTO rows
SELECT model, model_version, segment, "window", window_start, '', 'accuracy', hits / pairs, pairs FROM judged;

INSERT INTO rows
SELECT model, model_version, segment, "window", window_start, 'predicted_actual=[' || predicted.json || ',' || actual.json || ']',
       'confusion', confusion.pairs, groups.pairs
FROM confusion JOIN groups USING (model, model_version, segment, "window", window_start)
JOIN class_names predicted ON predicted.class = answer JOIN class_names actual ON actual.class = label
WHERE "window" IN ('1h', '1d') AND groups.kinds <= 100;

CREATE TABLE class_scores AS
SELECT judged.*, class, name, precision, recall, f1_score
FROM scored JOIN judged ON judged.number = code // 100000 JOIN class_codes ON class_codes.number = code % 100000
JOIN class_names USING (class);

CREATE TABLE scores AS
SELECT model, model_version, segment, "window", window_start, pairs, '' AS dimension,
       coalesce(max(precision) FILTER (class = positive), 0) AS precision, coalesce(max(recall) FILTER (class = positive), 0) AS recall,
       coalesce(max(f1_score) FILTER (class = positive), 0) AS f1_score
FROM class_scores WHERE of_positive GROUP BY ALL
UNION ALL
SELECT model, model_version, segment, "window", window_start, pairs, '', avg(precision), avg(recall), avg(f1_score)
FROM class_scores WHERE NOT of_positive GROUP BY ALL
UNION ALL
SELECT model, model_version, segment, "window", window_start, pairs, 'class=' || name, precision, recall, f1_score
FROM class_scores WHERE NOT of_positive;

INSERT INTO rows
SELECT model, model_version, segment, "window", window_start, dimension, metric, value, pairs
FROM (UNPIVOT scores ON precision, recall, f1_score INTO NAME metric VALUE value);

INSERT INTO rows
SELECT model, model_version, segment, "window", window_start, dimension, 'f1_score_rolling_7d', f1_score, pairs
FROM scores WHERE "window" = '7d';
"""
