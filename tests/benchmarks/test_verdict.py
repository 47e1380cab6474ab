"""The judge: what SQL makes of events, and what is held against a candidate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.throughput.expected import ExpectedWindow, expected_windows
from benchmarks.throughput.job import WindowRow
from benchmarks.throughput.verdict import verdict

EXPECTED = {("churn", 0): ExpectedWindow(100, 50.0, 49.0, 2.5), ("churn", 10_000): ExpectedWindow(7, 9.0, 9.0, 0.0)}
FIRST: WindowRow = ("churn", 0, 100, 50.0, 2.5)
SECOND: WindowRow = ("churn", 10_000, 7, 9.0, 0.0)


def event(number: int, created_at: int, latency: float, features: dict[str, object]) -> bytes:
    fields = {"prediction_id": str(number), "model": "churn", "created_at": created_at, "response_time_ms": latency}
    return json.dumps({**fields, "features": features}).encode() + b"\n"


def test_sql_counts_ranks_and_finds_explicit_nulls(tmp_path: Path) -> None:
    copy = tmp_path / "events"
    lines = [event(number, 20_000 + number, number + 1, {"a": None if number < 50 else 1, "b": "null"}) for number in range(200)]
    copy.write_bytes(b"".join([*lines, lines[0], event(900, 30_000, 3.5, {})]))
    found = expected_windows(copy)
    # Rank ceil(0.99 * 201) = 199 of 1, 1, 2, ..., 200; once each it is rank 198 of 1, ..., 200.
    assert found.deliveries["churn", 20_000].events == 201
    assert found.deliveries["churn", 20_000].p99 == 198.0
    assert found.deliveries["churn", 20_000].p99_interpolated == pytest.approx(198.0)
    assert found.deliveries["churn", 20_000].null_percentage == pytest.approx(100 * 51 / 402)
    assert found.distinct["churn", 20_000] == ExpectedWindow(200, 198.0, 198.01, 12.5)
    assert found.deliveries["churn", 30_000].events == 1


def test_a_result_within_the_accuracy_is_correct() -> None:
    found = verdict(EXPECTED, [SECOND, ("churn", 0, 100, 50.5, 2.5)])
    assert found.correct
    assert found.text() == "yes"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("churn", 0, 100, 50.51, 2.5), "p99"),
        (("churn", 0, 100, 50.0, 2.6), "nulls"),
        (("churn", 0, 101, 50.0, 2.5), "counts 101, not 100"),
        (("fraud", 0, 1, 1.0, 0.0), "no window"),
        (("churn", 10_000, 7, 9.0, 0.0), "twice"),
    ],
)
def test_a_fault_is_named(row: WindowRow, fault: str) -> None:
    rows = [SECOND, row] if row[:2] == FIRST[:2] else [FIRST, SECOND, row]
    found = verdict(EXPECTED, rows)
    assert not found.correct
    assert fault in found.text()


def test_events_that_are_missing_are_counted_as_lost() -> None:
    assert verdict(EXPECTED, [("churn", 0, 90, 1.0, 0.0)]).text() == "no; 17 events lost"


def test_an_engine_that_interpolates_is_held_to_that() -> None:
    assert verdict(EXPECTED, [("churn", 0, 100, 49.0, 2.5), SECOND], interpolated=True).correct
    assert not verdict(EXPECTED, [("churn", 0, 100, 49.0, 2.5), SECOND]).correct
