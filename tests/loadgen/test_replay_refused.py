"""What replay refuses, and how it is told: one line that names the file, the row or the column."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from loadgen.replay.formats import open_table
from schemas.errors import ConfigurationError, TowerError
from tests.loadgen.reading_tables import JSON, NOW_MS, events_of, refusal_of, write

NOW_S = NOW_MS // 1000


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "ts,pred\n2024-01-01,1\nyesterday,0\n", "row 2, column ts: expected a time .*, got 'yesterday'"),
        ("a.csv", "ts,pred\n1714560000,1\n1714560000,1\n1714560000\n", r"row 3: 1 values, but the header has 2"),
        ("a.csv", "ts,pred,score\n1714560000,1,1.5\n", "row 1, column score: expected a probability from 0 to 1, got 1.5"),
        ("a.csv", "ts,pred\n1714560000,\n", "row 1, column pred: expected a prediction, got nothing"),
        ("a.csv", 'ts,pred\n1714560000,"abc\n', "row 1: a quote is not closed"),
        ("a.csv", "ts,pred\n", "has no rows"),
        ("a.csv", "", "is empty"),
        ("a.parquet", "nonsense", "cannot be read as Parquet"),
        ("a.ndjson", '{"ts": 1714560000, "pred": 1}\n{bad\n', "row 2: not JSON"),
        ("a.ndjson", "[1]\n", "row 1: expected a JSON object"),
        ("a.ndjson", '{"ts": 1714560000, "pred": 1, "x": [1]}\n', "row 1, column x: expected text, a number"),
        ("a.ndjson", "\n\n", "has no rows"),
    ],
)
def test_what_cannot_be_replayed_is_named(tmp_path: Path, name: str, content: str, says: str) -> None:
    with pytest.raises(TowerError, match=says):
        events_of(write(tmp_path, name, content))


def test_a_csv_that_is_not_utf_8_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"ts,pred\n1714560000,caf\xe9\n")
    with pytest.raises(TowerError, match="write it as UTF-8") as caught:
        events_of(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.parquet.gz"])
def test_an_unknown_format_is_answered_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown - name it \.parquet, \.csv"):
        open_table(write(tmp_path, name, "x"))


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a file"):
        open_table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (b"1714560000,1,x,y\n", r"row 400,001: 4 values, but the header has 3"),
        (b"1714560000,1,caf\xe9\n", r"row 400,001, column n: not UTF-8"),
        (b'1714560000,1,"caf\n', r"row 400,001: a quote is not closed"),
    ],
)
def test_a_bad_row_far_down_in_a_csv_is_named(tmp_path: Path, end: bytes, says: str) -> None:
    assert re.search(says, refusal_of(write(tmp_path, "a.csv", b"ts,pred,n\n" + b"1714560000,1,abcdefgh\n" * 400_000 + end)))


@pytest.mark.parametrize(("name", "content"), [("a.csv", "\ufeff"), ("a.csv.gz", ""), ("a.csv", "\n\n"), ("a.csv", "\ufeff\r\n")])
def test_a_file_without_a_line_is_empty(tmp_path: Path, name: str, content: str) -> None:
    assert "is empty" in refusal_of(write(tmp_path, name, content))


def test_a_field_of_a_csv_may_be_long_and_one_without_end_is_an_error(tmp_path: Path) -> None:
    predictions, _ = events_of(write(tmp_path, "a.csv", f'ts,pred,x\n1714560000,1,"{"x" * 600_000}"\n'))
    assert len(str(predictions[0]["features"])) > 600_000
    assert "longer than 8 MB" in refusal_of(write(tmp_path, "a.csv", 'ts,pred,x\n1714560000,1,"' + "x,1\n" * 5_000_000))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"ts": 86_400 * 365}, "row 1, column ts: expected a time from the year 2000 on, got 31536000"),
        ({"ts": NOW_S + 301}, "row 1, column ts: expected a time at most 300 s ahead of the clock"),
        ({"pred": 2**53}, "row 1, column pred: expected a whole number of less than 2**53 in size"),
        ({"label": "x" * 257}, "row 1, column label: expected text of at most 256 characters"),
        ({"segments": {"": "x"}}, "row 1, column segments.: expected a name of 1 to 256 characters"),
        ({"segments": {"a": "x" * 257}}, "row 1, column segments.a: expected text of 1 to 256 characters"),
        ({"features": {"x" * 257: 1}}, "expected a name of 0 to 256 characters, got 257"),
        ({"x" * 257: 1}, "expected a name of 0 to 256 characters, got 257"),
        ({"x": "x" * 1_000_000}, "row 1: the event has 1,000,1"),
        ({"a": 1, "features": {"a": 1}}, "row 1: a and features.a are both the feature a"),
    ],
)
def test_what_the_pipeline_would_refuse_is_named_with_its_row(tmp_path: Path, row: JSON, says: str) -> None:
    line = json.dumps({"ts": 1714560000, "pred": 1, **row})
    assert says in refusal_of(write(tmp_path, "a.ndjson", line), asked={"created_at": "ts"})


def test_a_row_that_is_older_than_what_is_kept_from_the_newest_is_named(tmp_path: Path) -> None:
    assert "row 2: 3,650 days older" in refusal_of(write(tmp_path, "a.csv", "ts,pred\n2024-05-01,1\n2012-05-01,1\n"))
    assert len(events_of(write(tmp_path, "a.csv", "ts,pred\n2012-05-01,1\n2013-05-01,1\n"))[0]) == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"ts":1714560000,"pred":1,"x":"\\ud800"}', "row 1: text with half of a surrogate pair"),
        (b'{"ts":1714560000,"pred":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "row 1: nested too deeply"),
        (b'{"ts":1714560000,"pred":1,"x":"' + b"x" * 9_000_000 + b'"}', "row 1: longer than 8 MB"),
    ],
)
def test_lines_that_no_event_can_be_made_of_are_errors_of_ours(tmp_path: Path, line: bytes, says: str) -> None:
    assert says in refusal_of(write(tmp_path, "a.ndjson", line))


def test_columns_that_would_be_the_same_feature_are_both_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "ts,pred,features.a,a\n1714560000,1,2,3\n")
    assert "columns features.a and a are both the feature a" in refusal_of(path)
