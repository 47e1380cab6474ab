"""Whatever text a name is, it comes out of Parquet and of a query as it came in, and neither terminal nor spreadsheet obeys it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from pipeline.metrics.naming import class_name
from query.formats import WRITERS
from query.lake import run_query
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import NOW, outcome, prediction
from tests.pipeline.publishing import OnePublisher
from tests.pipeline.shards import OneShard

FORMULAS = ("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "\r=1")
HARMLESS = ("-2", "+1e5", "a=1", "é")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "line\nand\rline\u2028\x85",
    "\x1b[2J\x1b]0;title\x07\x00\x7f\x9b",
    "\u202eabc\u2066\u200f\ufeff\ufffe",
    "\U0001f600\U0010ffff\U000e0041 e\u0301 \u0130",
    "'; DROP TABLE metric_windows; --",
    '$(x) `x` %s {x} \\ " ,;|',
    "../../x",
    "__other__x",
    *FORMULAS,
    *HARMLESS,
)


def shown(home: Path, sql: str, form: str) -> str:
    out = io.StringIO()
    WRITERS[form](run_query(home, sql), out)
    return out.getvalue()


def test_names_are_text_wherever_they_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard, publisher = OneShard(tmp_path / "shard"), OnePublisher(tmp_path, monkeypatch)
    publisher.hear(*shard.first())
    sent = [
        prediction(model=text, model_version=text, prediction=text, segments={text: text}, features={text: None}, variant=text)
        for text in HOSTILE
    ]
    shard.played(PREDICTIONS, *sent)
    shard.played(OUTCOMES, *(outcome(model=text, label=text, converted=True, created_at=NOW) for text in HOSTILE))
    publisher.hear(*shard.updates)
    publisher.close()
    shard.close()
    columns = "model, model_version, segment, dimension, metric, n"
    sql = f"""SELECT {columns} FROM metrics WHERE "window" = '1d' AND model_version <> '*' AND segment <> '*'
        AND (dimension LIKE 'class=%' AND metric = 'recall' OR dimension LIKE 'feature=%' OR dimension LIKE 'variant=%')"""
    wanted = {
        (text, text, f"{text}={text}", dimension, metric, "1")
        for text in HOSTILE
        for dimension, metric in (
            (f"feature={text}", "input_null_percentage"),
            (f"class={class_name(text)}", "recall"),
            (f"variant={text}", "conversion_rate"),
        )
    }
    assert {tuple(map(str, row.values())) for row in json.loads(shown(tmp_path, sql, "json"))} == wanted
    rows = [tuple(row) for row in csv.reader(io.StringIO(shown(tmp_path, sql, "csv"), newline=""))][1:]
    unquoted = {tuple(field.removeprefix("'") if field[1:2] in "=@+-\t\r" else field for field in row) for row in rows}
    assert unquoted == wanted
    assert not [field for row in rows for field in row if field.startswith(tuple("=@\t\r")) or field in FORMULAS]
    assert {row[0] for row in rows} >= set(HARMLESS)
    table = shown(tmp_path, sql, "table")
    assert len(table.split("\n")) == len(wanted) + 4
    assert table.replace("\n", "").isprintable()
