from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from loadgen.replay import replay
from schemas.errors import ConfigurationError, TowerError
from schemas.events import Outcome, Prediction
from schemas.kafka import KafkaSettings
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.loadgen.reading import read_all
from tests.waiting import slowness

Topics = Callable[[int], KafkaSettings]
MAY_2024_MS = 1_714_560_000_000


def _replay(
    kafka: KafkaSettings,
    file: Path,
    *,
    version: str | None = None,
    mapping: dict[str, str] | None = None,
    delay_ms: int | None = None,
    speed: float | None = None,
) -> str:
    out = io.StringIO()
    replay(
        kafka=nullcontext(kafka),
        file=file,
        model="past",
        model_version=version,
        mapping=mapping or {},
        features=None,
        label_delay_ms=delay_ms,
        speed=speed,
        out=out,
    )
    return out.getvalue()


def _csv(tmp_path: Path, rows: int, first_ms: int = MAY_2024_MS, step_ms: int = 1_000) -> Path:
    path = tmp_path / "past.csv"
    lines = [f"{first_ms + row * step_ms},{row % 2},{row % 3 % 2},{row},v{row % 2}" for row in range(rows)]
    path.write_text("\n".join(["ts,pred,label,age,version", *lines]))
    return path


def test_a_file_replayed_twice_has_each_prediction_under_the_same_id(topics: Topics, tmp_path: Path) -> None:
    kafka, path = topics(3), _csv(tmp_path, 5_000)
    report = _replay(kafka, path)
    _replay(kafka, path)
    records = read_all(kafka, PREDICTIONS)
    assert "5,000 rows of past.csv: 5,000 predictions, 5,000 outcomes" in report
    assert report.splitlines()[-1] == "10,000 produced, 10,000 acknowledged, 0 failed"
    assert len(records) == 10_000
    assert len({record.key for record in records}) == 5_000
    assert len({record.value for record in records}) == 5_000


def test_event_times_versions_and_labels_are_those_of_the_file(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    _replay(kafka, _csv(tmp_path, 100), delay_ms=5_000)
    predictions = [msgspec.json.decode(record.value, type=Prediction) for record in read_all(kafka, PREDICTIONS)]
    outcomes = [msgspec.json.decode(record.value, type=Outcome) for record in read_all(kafka, OUTCOMES)]
    assert [prediction.created_at for prediction in predictions] == [MAY_2024_MS + row * 1_000 for row in range(100)]
    assert [prediction.model_version for prediction in predictions] == ["v0", "v1"] * 50
    assert [prediction.features for prediction in predictions] == [{"age": row} for row in range(100)]
    assert [outcome.created_at for outcome in outcomes] == [MAY_2024_MS + 5_000 + row * 1_000 for row in range(100)]
    assert [outcome.label for outcome in outcomes] == [row % 3 % 2 for row in range(100)]


def test_a_given_version_goes_before_a_guessed_column(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    _replay(kafka, _csv(tmp_path, 10), version="7")
    assert {msgspec.json.decode(record.value, type=Prediction).model_version for record in read_all(kafka, PREDICTIONS)} == {"7"}


def test_a_speed_is_seconds_of_the_file_per_second(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    begin = time.monotonic()
    _replay(kafka, _csv(tmp_path, 41, step_ms=1_000), speed=20.0, delay_ms=4_000)
    assert 2.2 <= time.monotonic() - begin < 8 * slowness()
    last_prediction = max(record.written_at for record in read_all(kafka, PREDICTIONS))
    outcomes = read_all(kafka, OUTCOMES)
    assert len(outcomes) == 41
    assert max(record.written_at for record in outcomes) - last_prediction >= 150


def test_outcomes_that_would_be_in_the_future_are_left_out_and_told(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    recent = time.time_ns() // 1_000_000 - 60_000
    report = _replay(kafka, _csv(tmp_path, 10, first_ms=recent), delay_ms=86_400_000)
    assert "10 outcomes would be in the future and were left out" in report
    assert read_all(kafka, OUTCOMES) == []


def test_a_bad_row_stops_the_replay_and_what_was_sent_is_told(topics: Topics, tmp_path: Path) -> None:
    path = _csv(tmp_path, 20_000)
    path.write_text(path.read_text() + "\nyesterday,1,0,1,v1\n")
    kafka = topics(1)
    out = io.StringIO()
    with pytest.raises(TowerError, match="row 20,001, column ts: expected a time"):
        replay(
            kafka=nullcontext(kafka),
            file=path,
            model="past",
            model_version=None,
            mapping={},
            features=None,
            label_delay_ms=None,
            speed=None,
            out=out,
        )
    sent = len(read_all(kafka, PREDICTIONS))
    assert f"{sent:,} rows had been sent" in out.getvalue()


@pytest.mark.parametrize(
    ("version", "mapping", "speed", "says"),
    [
        ("1", {"model_version": "version"}, None, "exclude each other"),
        ("", {}, None, "--model-version must have 1 to 128 characters"),
        (None, {}, -1.0, "--speed must be more than 0"),
    ],
)
def test_options_that_cannot_be_are_errors_before_anything_is_sent(
    tmp_path: Path, version: str | None, mapping: dict[str, str], speed: float | None, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        _replay(KafkaSettings(bootstrap_servers="127.0.0.1:1"), _csv(tmp_path, 3), version=version, mapping=mapping, speed=speed)
