"""Whatever the events of one model hold, the rows of another are the same to the last digit, and the one's own counts are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from query.lake import run_query
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import NOW, batch, encoded, outcome, prediction, reader
from tests.pipeline.publishing import OnePublisher
from tests.pipeline.shards import OneShard

Event = dict[str, Any]
EXTREMES = (1e308, 1.7976931348623157e308, -1.7976931348623157e308, 5e-324, -0.0, 0.0, 1e-300, 2**53 - 1, 1 - 2**53, 1.5)
PAIRS = [(answer, label) for answer in EXTREMES for label in EXTREMES]
WIDE = 20_000
"""So many features make an event of a third of a megabyte."""


def ordinary() -> tuple[list[Event], list[Event]]:
    """Return predictions and outcomes as they should be."""
    numbers = range(len(PAIRS))
    return (
        [
            prediction(model="y", prediction_id=str(n), prediction=n % 2, response_time_ms=n + 0.1, features={"a": n % 3 or None})
            for n in numbers
        ],
        [outcome(model="y", prediction_id=str(n), label=n % 3 % 2, revenue_generated=n / 7) for n in numbers],
    )


def hostile(model: str) -> tuple[list[Event], list[Event]]:
    """Return predictions and outcomes at the ends of what numbers and sizes may be."""
    predictions = [
        prediction(model=model, prediction_id=str(n), prediction=answer, response_time_ms=abs(answer), features={"a": answer})
        for n, (answer, _) in enumerate(PAIRS)
    ]
    wide = prediction(model=model, prediction_id="wide", features={f"f{n}": None if n % 2 else "x" for n in range(WIDE)})
    assert len(encoded(wide)) > 250_000
    return [*predictions, wide], [
        outcome(model=model, prediction_id=str(n), label=label, revenue_generated=label) for n, (_, label) in enumerate(PAIRS)
    ]


def published(home: Path, patch: pytest.MonkeyPatch, *models: tuple[list[Event], list[Event]]) -> list[Event]:
    """Return all rows of the lake, when the events of these models come in turns."""
    shard, publisher = OneShard(home / "shard"), OnePublisher(home, patch)
    publisher.hear(*shard.first())
    for topic, part in ((PREDICTIONS, 0), (OUTCOMES, 1)):
        shard.played(topic, *(event for number in range(len(PAIRS) + 1) for model in models for event in model[part][number : number + 1]))
    publisher.hear(*shard.updates)
    publisher.close()
    shard.close()
    result = run_query(home, "SELECT * EXCLUDE (revision, updated_at) FROM metrics WHERE \"window\" = '1d' ORDER BY ALL")
    return [dict(zip(result.columns, row, strict=True)) for rows in result.batches for row in rows]


def test_extreme_numbers_and_wide_events_harm_no_neighbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = published(tmp_path / "alone", monkeypatch, ordinary())
    together = published(tmp_path / "together", monkeypatch, hostile("x"), ordinary())
    assert [row for row in together if row["model"] == "y"] == alone != []
    mine = {(row["metric"], row["dimension"]): row for row in together if row["model"] == "x" and row["model_version"] == "*"}
    assert mine["prediction_volume", ""]["value"] == len(PAIRS) + 1
    assert (mine["latency_max_ms", ""]["value"], mine["latency_max_ms", ""]["n"]) == (max(EXTREMES), len(PAIRS))
    assert mine["label_coverage", ""]["value"] == len(PAIRS) / (len(PAIRS) + 1)
    assert mine["input_null_percentage", ""] == mine["input_null_percentage", ""] | {
        "n": len(PAIRS) + WIDE,
        "value": 50 * WIDE / (len(PAIRS) + WIDE),
    }
    assert "latency_avg_ms" not in {metric for metric, _ in mine}  # the sum is beyond float64: no row says more than a wrong one
    assert json.dumps(together, default=str, allow_nan=False)


def test_a_producer_whose_clock_is_a_year_ahead_changes_nothing_but_the_dead_letters() -> None:
    year = 365 * 86_400_000
    read = reader()
    for topic, event in ((PREDICTIONS, prediction), (OUTCOMES, outcome)):
        intake = read.read(
            batch([encoded(event(created_at=NOW + year)), encoded(event(created_at=NOW - year)), encoded(event())], topic=topic)
        )
        (letter,) = intake.dead
        assert (letter.offset, letter.rejection.path) == (0, "$.created_at")
        assert letter.rejection.reason.endswith("expected a time at most 300 s ahead of the clock, got 2027-03-14T10:47:23.000Z")
        assert intake.progress.newest == NOW
