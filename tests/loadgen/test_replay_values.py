from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.replay.values import RowError, boolean, convert, epoch_ms, feature, number, optional, scalar, score, text

SECONDS = st.integers(100_000_000, 99_999_999_999)


@given(SECONDS)
def test_seconds_and_finer_units_since_the_epoch_are_told_apart_by_size(seconds: int) -> None:
    for value in (seconds, float(seconds), seconds * 10**3, seconds * 10**6, seconds * 10**9, str(seconds)):
        assert epoch_ms(value) == seconds * 1000


@given(st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1)), st.integers(-14, 14))
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
