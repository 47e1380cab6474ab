from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.replay.events import rows_of_chunk
from loadgen.replay.formats import open_table
from loadgen.replay.lines import LineTable
from loadgen.replay.mapping import map_columns
from loadgen.replay.pairing import pairing_notes
from loadgen.replay.run import describe_mapping
from loadgen.replay.table import Kinds
from loadgen.stopping import Stopped
from schemas.events import Outcome, Prediction
from tests.loadgen.reading_tables import JSON, NOW_MS, events_of, reading_of, refusal_of, write


def test_a_csv_keeps_whole_and_decimal_numbers_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,ts,pred,label,age,ratio,plan,vip\n007,1714560000,1,0,3,2.0,a,true\n8,1714560001,0,,,NaN,,\n")
    predictions, outcomes = events_of(path)
    assert predictions[0]["features"] == {"age": 3, "ratio": 2.0, "plan": "a", "vip": True}
    assert json.dumps(predictions[0]["features"]) == '{"age": 3, "ratio": 2.0, "plan": "a", "vip": true}'
    assert predictions[1]["features"] == {"age": None, "ratio": None, "plan": None, "vip": None}
    assert predictions[0]["prediction_id"] == "007"
    assert outcomes == [{"prediction_id": "007", "model": "m", "created_at": 1714560000000, "label": 0}]


def test_one_decimal_in_the_last_row_of_a_csv_makes_the_column_decimal_from_the_first(tmp_path: Path) -> None:
    rows = "".join(f"1714560000,1,{row}\n" for row in range(30_000))
    predictions, _ = events_of(write(tmp_path, "a.csv", f"ts,pred,x\n{rows}1714560000,1,0.5\n"))
    assert {type(prediction["features"]["x"]) for prediction in predictions} == {float}  # type: ignore[index]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "semicolon.csv"])
def test_delimiters_quotes_and_compression_of_csv_are_understood(tmp_path: Path, name: str) -> None:
    delimiter = "\t" if "tsv" in name else ";" if "semi" in name else ","
    content = 'ts,pred,text\r\n2024-05-01T12:00:00Z,yes,"a ""b"", c"\r\n'.replace(",", delimiter)
    predictions, _ = events_of(write(tmp_path, name, "\ufeff" + content))
    assert predictions[0]["created_at"] == 1714564800000
    assert predictions[0]["prediction"] == "yes"
    assert predictions[0]["features"] == {"text": f'a "b"{delimiter} c'}


def test_a_date_in_a_csv_that_is_a_feature_stays_as_written(tmp_path: Path) -> None:
    predictions, _ = events_of(write(tmp_path, "a.csv", "ts,pred,joined\n1714560000,1,03/04/2024\n"))
    assert predictions[0]["features"] == {"joined": "03/04/2024"}


def test_ndjson_keeps_each_values_type_and_what_is_absent_is_no_null(tmp_path: Path) -> None:
    lines = [
        '{"created_at": 1714560000000, "prediction": 1, "features": {"a": 1, "b": null}, "segments": {"region": "x"}, "label": 1.0}',
        "",
        '{"created_at": "2024-05-01T12:00:00+02:00", "prediction": "x", "later": NaN}',
    ]
    predictions, outcomes = events_of(write(tmp_path, "a.ndjson", "\n".join(lines)))
    assert predictions[0]["features"] == {"a": 1, "b": None}
    assert predictions[0]["segments"] == {"region": "x"}
    assert predictions[1]["features"] == {"later": None}
    assert b'"label":1.0' in msgspec.json.encode(outcomes[0])


def test_an_ndjson_field_that_turns_up_late_is_a_feature(tmp_path: Path) -> None:
    lines = ['{"ts": 1714560000, "pred": 1}'] * 20_000 + ['{"ts": 1714560000, "pred": 1, "new": 5}']
    predictions, _ = events_of(write(tmp_path, "a.jsonl", "\n".join(lines)))
    assert "features" not in predictions[0]
    assert predictions[-1]["features"] == {"new": 5}


def test_parquet_types_become_json_types(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 1, 12, 0, 0, 250_000)
    table = pa.table(
        {
            "timestamp": pa.array([moment, moment], pa.timestamp("us")),
            "prediction": pa.array([1, 0], pa.int32()),
            "label": pa.array([1.0, None], pa.float64()),
            "score": pa.array([[("0", 0.2), ("1", 0.8)], None], pa.map_(pa.string(), pa.float64())),
            "features": pa.array([{"a": 1, "b": None}, {"a": 2, "b": 0.5}]),
            "count": pa.array([3, None], pa.int16()),
            "seen": pa.array([moment, None], pa.timestamp("ms", tz="UTC")),
            "plan": pa.array(["x", "y"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    predictions, outcomes = events_of(tmp_path / "a.parquet")
    assert predictions[0]["created_at"] == 1714564800250
    assert predictions[0]["score"] == {"0": 0.2, "1": 0.8}
    assert predictions[0]["features"] == {"count": 3, "seen": "2024-05-01T12:00:00.250000+00:00", "plan": "x", "a": 1, "b": None}
    assert predictions[1]["features"] == {"count": None, "seen": None, "plan": "y", "a": 2, "b": 0.5}
    assert len(outcomes) == 1
    assert b'"label":1.0' in msgspec.json.encode(outcomes[0])


def test_the_three_formats_give_the_same_events(tmp_path: Path) -> None:
    rows: list[JSON] = [
        {
            "id": f"r{row}",
            "ts": 1714560000000 + row,
            "pred": row % 3,
            "label": row % 2,
            "age": row,
            "ratio": row + 0.5,
            "plan": "ab"[row % 2],
        }
        for row in range(10_000)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=1_500)
    csv = "id,ts,pred,label,age,ratio,plan\n" + "".join(",".join(str(value) for value in row.values()) + "\n" for row in rows)
    files = [
        tmp_path / "a.parquet",
        write(tmp_path, "a.csv", csv),
        write(tmp_path, "a.ndjson", "\n".join(json.dumps(row) for row in rows)),
    ]
    first, *others = [events_of(path) for path in files]
    assert all(other == first for other in others)
    assert [prediction["prediction_id"] for prediction in first[0]] == [row["id"] for row in rows]


def test_rows_without_an_id_have_the_same_one_each_time(tmp_path: Path) -> None:
    path = write(tmp_path, "past.csv", "ts,pred\n" + "1714560000,1\n" * 3)
    first, again = [[str(prediction["prediction_id"]) for prediction in events_of(path)[0]] for _ in range(2)]
    assert first == again
    assert [re.sub("~[0-9a-f]{12}-", "~DIGEST-", one) for one in first] == ["past.csv~DIGEST-1", "past.csv~DIGEST-2", "past.csv~DIGEST-3"]


def test_rows_of_files_of_the_same_name_never_share_an_id(tmp_path: Path) -> None:
    """Else the predictions of February are taken for repeated ones of January."""
    ids = []
    for month in ("january", "february"):
        (tmp_path / month).mkdir()
        path = write(tmp_path / month, "predictions.csv", f"ts,pred,month\n1714560000,1,{month}\n")
        ids += [prediction["prediction_id"] for prediction in events_of(path)[0]]
    assert len(set(ids)) == 2


def test_outcomes_come_after_the_label_delay(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "ts,pred,converted,revenue\n1714560000,1,1,9.5\n1714560000,1,no,\n")
    _, outcomes = events_of(path, delay_ms=60_000)
    assert [outcome["created_at"] for outcome in outcomes] == [1714560060000] * 2
    assert [(outcome["converted"], outcome.get("revenue_generated")) for outcome in outcomes] == [(True, 9.5), (False, None)]


def test_segments_are_text_as_written(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "ts,pred,region\n1714560000,1,07\n1714560000,1,\n")
    predictions, _ = events_of(path, {"segments.region": "region"})
    assert predictions[0]["segments"] == {"region": "07"}
    assert "segments" not in predictions[1]


def test_the_mapping_is_printed(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "ts,y_pred,target,age\n1714560000,1,0.0,3\n")
    table = open_table(path)
    lines = describe_mapping(table, replace(reading_of(path, map_columns(table.columns, {}, None)), model="churn", model_version="7"))
    assert lines == [
        "replaying a.csv as predictions of churn",
        "  created_at         <- ts (whole numbers)",
        "  prediction         <- y_pred (whole numbers)",
        "  label              <- target (decimals)",
        "  features           <- age",
        "  model_version      =  7",
        "  prediction_id      =  file name, digest of its content, and row number",
        "  note: one of prediction and label has decimals, so they count as numeric targets (mae, rmse), not as classes",
    ]


FEATURES = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    max_size=4,
)


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "created_at": st.integers(10**12, NOW_MS),
                "prediction": st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(min_size=1, max_size=5),
            },
            optional={"features": FEATURES, "label": st.booleans() | st.integers(-9, 9) | st.floats(-9, 9), "score": st.floats(0, 1)},
        ),
        min_size=1,
        max_size=20,
    )
)
def test_events_of_the_contract_replayed_are_the_same_events(tmp_path_factory: pytest.TempPathFactory, rows: list[JSON]) -> None:
    path = tmp_path_factory.mktemp("events") / "a.ndjson"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    table = LineTable(path)
    reading = reading_of(path, map_columns({**table.columns, "created_at": "", "prediction": ""}, {}, None))
    replayed = [row for chunk in table.chunks("created_at", set()) for row in rows_of_chunk(chunk, reading)]
    for row, sent in zip(rows, replayed, strict=True):
        made = msgspec.json.decode(sent.prediction, type=Prediction)
        assert (made.created_at, made.prediction, type(made.prediction)) == (row["created_at"], row["prediction"], type(row["prediction"]))
        assert (made.features or {}) == row.get("features", {})
        assert (sent.outcome is not None) == ("label" in row)
        if sent.outcome is not None:
            known = msgspec.json.decode(sent.outcome, type=Outcome)
            assert (known.label, type(known.label)) == (row["label"], type(row["label"]))


@pytest.mark.parametrize("name", ["a[1].csv", "a[1].parquet", "what*?.csv"])
def test_a_name_with_the_signs_of_patterns_is_that_file_and_no_other(tmp_path: Path, name: str) -> None:
    for one, age in (("a1" + Path(name).suffix, 1), ("whatever.csv", 1), (name, 2)):
        if one.endswith(".csv"):
            write(tmp_path, one, f"ts,pred,age\n1714560000,1,{age}\n")
        else:
            pq.write_table(pa.table({"ts": [1714560000], "pred": [1], "age": [age]}), tmp_path / one)
    assert events_of(tmp_path / name)[0][0]["features"] == {"age": 2}


def test_large_row_groups_of_parquet_are_read_in_little_memory(tmp_path: Path) -> None:
    """Whole columns of a row group, or eight thousand long texts at a time, would not fit."""
    rows = 1_000_000
    columns = {f"f{number}": np.random.default_rng(number).random(rows) for number in range(8)}
    pq.write_table(pa.table({"ts": np.full(rows, 1714560000), "pred": np.ones(rows, int), **columns}), tmp_path / "wide.parquet")
    texts = [f"{row}" * 66_000 for row in range(500)]
    pq.write_table(pa.table({"ts": [1714560000] * 500, "pred": [1] * 500, "text": texts}), tmp_path / "long.parquet")
    for name, count, most_rows, most_bytes in (("wide.parquet", rows, 8_192, 40_000_000), ("long.parquet", 500, 60, 300_000_000)):
        before, seen = pa.total_allocated_bytes(), 0
        for chunk in open_table(tmp_path / name).chunks("ts", set()):
            seen += chunk.size
            assert chunk.size <= most_rows
            assert pa.total_allocated_bytes() - before < most_bytes
        assert seen == count


def test_a_short_chunk_ends_at_many_bytes(tmp_path: Path) -> None:
    line = json.dumps({"ts": 1714560000, "pred": 1, "text": "x" * 500_000})
    csv = "ts,pred,text\n" + f"1714560000,1,{'x' * 500_000}\n" * 40
    for path in (write(tmp_path, "a.ndjson", "\n".join([line] * 40)), write(tmp_path, "a.csv", csv)):
        sizes = [chunk.size for chunk in open_table(path).chunks("ts", set())]
        assert sum(sizes) == 40
        assert max(sizes) <= 17


def test_whole_decimals_of_parquet_are_whole_numbers_and_ids_are_exact(tmp_path: Path) -> None:
    exact = 2**60 + 1
    table = pa.table(
        {
            "id": pa.array([Decimal(exact)], pa.decimal128(38, 0)),
            "ts": [1714560000],
            "pred": pa.array([Decimal(3)], pa.decimal128(10, 0)),
            "label": pa.array([3], pa.int64()),
            "price": pa.array([Decimal("1.50")]),
            "user_id": pa.array([Decimal("1.50")]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    (prediction,), (outcome,) = events_of(tmp_path / "a.parquet")
    assert (prediction["prediction_id"], prediction["unit_id"], prediction["features"]) == (str(exact), "1.50", {"price": 1.5})
    assert json.dumps([prediction["prediction"], outcome["label"]]) == "[3, 3]"


def test_objects_of_parquet_may_hold_decimals_dates_and_times(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 1, 12)
    values = {"a": Decimal("1.5"), "b": moment.date(), "c": moment, "d": moment.time(), "e": None}
    pq.write_table(pa.table({"ts": [1714560000], "pred": [1], "features": [values]}), tmp_path / "a.parquet")
    (prediction,), _ = events_of(tmp_path / "a.parquet")
    assert prediction["features"] == {"a": 1.5, "b": "2024-05-01", "c": "2024-05-01T12:00:00", "d": "12:00:00", "e": None}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "ts,pred,x\r\n1714560000,1,1\n1714560000,1,1\r\n"),
        ("a.csv", "ts,pred,x\r1714560000,1,1\r1714560000,1,1"),
        ("a.csv", "\n\r\n\nts,pred,x\n1714560000,1,1\n\n1714560000,1,1\n\n"),
        ("a.tsv", "ts\tpred\tx\n1714560000\t1\t1\n1714560000\t1\t1\n"),
        ("gzip-by-its-content.csv", gzip.compress(b"ts,pred,x\n1714560000,1,1\n1714560000,1,1\n", mtime=0)),
        ("not-gzip.csv.gz", b"ts,pred,x\n1714560000,1,1\n1714560000,1,1\n"),
    ],
)
def test_line_ends_blank_lines_and_packing_do_not_matter(tmp_path: Path, name: str, content: str | bytes) -> None:
    predictions, _ = events_of(write(tmp_path, name, content))
    assert [prediction["features"] for prediction in predictions] == [{"x": 1}, {"x": 1}]


@pytest.mark.parametrize(("name", "header"), [("a.csv", 'ts,pred,"q1; q2; q3; q4"'), ("a.tsv", 'ts\tpred\t"age, in years, rounded, up"')])
def test_delimiters_inside_of_quoted_names_are_no_delimiters(tmp_path: Path, name: str, header: str) -> None:
    row = "1714560000,1,2" if name == "a.csv" else "1714560000\t1\t2"
    assert len(open_table(write(tmp_path, name, f"{header}\n{row}\n")).columns) == 3


def test_nan_and_infinity_leave_a_column_of_whole_numbers_whole(tmp_path: Path) -> None:
    predictions, _ = events_of(write(tmp_path, "a.csv", "ts,pred,x\n1714560000,1,3\n1714560000,1,NaN\n1714560000,1,-inf\n"))
    assert json.dumps([prediction["features"] for prediction in predictions]) == '[{"x": 3}, {"x": null}, {"x": null}]'


def test_a_column_of_small_numbers_is_not_guessed_to_be_the_time(tmp_path: Path) -> None:
    said = refusal_of(write(tmp_path, "a.csv", "time,pred\n12,0\n"))
    assert said.startswith("no column says when a prediction was made (time has numbers such as 12, which are no times)")
    predictions, _ = events_of(write(tmp_path, "a.csv", "time,date,pred\n12,2024-05-01,0\n"))
    assert predictions[0]["features"] == {"time": 12}


@pytest.mark.parametrize(
    ("prediction", "label", "notes"),
    [
        (("whole numbers",), ("whole numbers", "nothing"), 0),
        (("true/false",), ("whole numbers",), 0),
        (("decimals",), ("decimals",), 0),
        (("whole numbers",), ("decimals",), 1),
        (("whole numbers", "decimals"), ("decimals",), 1),
        (("text",), ("whole numbers",), 1),
        (("text",), ("text", "true/false"), 1),
        (("true/false",), ("decimals",), 1),
    ],
)
def test_predictions_and_labels_that_do_not_compare_are_told(prediction: Kinds, label: Kinds, notes: int) -> None:
    assert len(pairing_notes(prediction, label)) == notes


def test_a_stop_while_the_types_are_read_ends_the_reading(tmp_path: Path) -> None:
    def watch(share: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        open_table(write(tmp_path, "a.csv", "ts,pred\n1714560000,1\n"), watch)
