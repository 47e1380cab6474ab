from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.replay.values import RowError, boolean, convert, epoch_ms, feature, number, optional, scalar, score, text

SECONDS = st.integers(946_684_800, 99_999_999_999)


@given(SECONDS)
def test_seconds_and_finer_units_since_the_epoch_are_told_apart_by_size(seconds: int) -> None:
    for value in (seconds, float(seconds), seconds * 10**3, seconds * 10**6, seconds * 10**9, str(seconds)):
        assert epoch_ms(value) == seconds * 1000


@given(st.datetimes(datetime(2000, 1, 2), datetime(9000, 1, 1)), st.integers(-14, 14))
def test_text_with_an_offset_is_that_moment(moment: datetime, hours: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert epoch_ms(aware.isoformat()) == round(aware.timestamp() * 1000)


def test_text_without_an_offset_is_utc() -> None:
    assert epoch_ms("2024-05-01 12:00:00.250") == epoch_ms("2024-05-01T12:00:00.250Z")
    assert epoch_ms("2024-05-01") == int(datetime(2024, 5, 1, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("value", ["yesterday", "03/04/2024", "", None, True, math.nan, math.inf, -5, {}, "inf", 10**30])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a time"):
        epoch_ms(value)


def test_the_row_the_column_and_the_value_are_named() -> None:
    with pytest.raises(RowError, match=r"row 1,002, column ts: expected a time .*, got 'yesterday'"):
        convert(["2024-05-01", "yesterday"], epoch_ms, 1_001, "ts")


@pytest.mark.parametrize("value", [1, 1.0, True, "a"])
def test_a_label_keeps_its_type(value: object) -> None:
    assert type(scalar(value)) is type(value)


@pytest.mark.parametrize(("value", "meant"), [(True, True), (0, False), (1.0, True), ("Yes", True), ("f", False)])
def test_true_and_false_are_read_in_many_ways(value: object, meant: bool) -> None:
    assert boolean(value) is meant


@pytest.mark.parametrize(
    ("one", "value"),
    [(boolean, 2), (boolean, "maybe"), (score, 1.5), (score, {"a": -0.1}), (number, "7"), (text, "x" * 129), (feature, [1])],
)
def test_what_the_contract_does_not_allow_is_refused(one: object, value: object) -> None:
    assert callable(one)
    with pytest.raises(ValueError, match=r"text|number|true|probability"):
        one(value)


@pytest.mark.parametrize("value", [None, math.nan, ""])
def test_nothing_is_nothing(value: object) -> None:
    assert optional(scalar)(value) is None


def test_a_nan_feature_is_a_null() -> None:
    assert [feature(math.nan), feature(math.inf), feature(0.5)] == [None, None, 0.5]


@pytest.mark.parametrize("value", [20240501, 20240501.0, "20240501", "2024-05-01"])
def test_a_date_written_as_a_number_is_that_day_and_not_in_1970(value: object) -> None:
    assert epoch_ms(value) == int(datetime(2024, 5, 1, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("value", [3, 20241399, 86_400, "1999-12-31", datetime(1980, 1, 1, tzinfo=UTC)])
def test_times_before_the_pipelines_earliest_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a time from the year 2000 on"):
        epoch_ms(value)


@pytest.mark.parametrize(("value", "says"), [("x" * 257, "at most 256 characters"), (2**53, "less than 2"), (-(2**53), "less than 2")])
def test_classes_that_the_pipeline_refuses_are_refused(value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        scalar(value)


@pytest.mark.parametrize("value", [2**64, 10**30, -(10**30)])
def test_whole_numbers_beyond_json_become_decimals(value: int) -> None:
    assert feature(value) == number(value) == float(value)
    assert feature(2**64 - 1) == 2**64 - 1


def test_an_id_that_a_float_has_made_inexact_is_refused() -> None:
    with pytest.raises(ValueError, match="exact"):
        text(1.2345678901234568e20)
