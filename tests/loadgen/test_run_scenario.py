from __future__ import annotations

import io
import math
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from loadgen.announcing import Announcement
from loadgen.app import INCIDENT_LOG, run_scenario
from loadgen.history import replay_history
from loadgen.models import Trained
from loadgen.scenario_files import FOLDER
from schemas.errors import ConfigurationError
from schemas.events import EventTime, Outcome, Prediction
from schemas.kafka import KafkaSettings
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.loadgen.reading import read_all
from tests.waiting import slowness, wait_until

Topics = Callable[[int], KafkaSettings]

pytestmark = pytest.mark.usefixtures("trained")


def _ms(moment: EventTime) -> float:
    return moment if isinstance(moment, (int, float)) else moment.timestamp() * 1000


def _counts(report: str) -> tuple[int, int, int]:
    """Return the counts of the report's last line: produced, acknowledged, failed."""
    found = re.fullmatch(r"([\d,]+) produced, ([\d,]+) acknowledged, ([\d,]+) failed", report.strip().splitlines()[-1])
    assert found is not None, report
    produced, acknowledged, failed = (int(number.replace(",", "")) for number in found.groups())
    return produced, acknowledged, failed


def _play(kafka: KafkaSettings, cache: Path, scenario: str, rate: float | None, duration_s: float, speed: float = 1.0) -> str:
    out = io.StringIO()
    run_scenario(kafka=kafka, scenario=scenario, rate=rate, duration_s=duration_s, seed=1, speed=speed, cache=cache, out=out)
    return out.getvalue()


@pytest.mark.parametrize(("scenario", "rate"), [("steady", 300.0), ("demo", 1_500.0), ("flood", 20_000.0)])
def test_an_asked_rate_is_kept_within_two_percent_and_all_is_acknowledged(topics: Topics, cache: Path, scenario: str, rate: float) -> None:
    kafka = topics(3)
    produced, acknowledged, failed = _counts(_play(kafka, cache, scenario, rate, 4.0))
    assert produced == pytest.approx(4 * rate, rel=0.02)
    assert (acknowledged, failed) == (produced, 0)
    assert len(read_all(kafka, PREDICTIONS)) + len(read_all(kafka, OUTCOMES)) == produced


def test_every_event_in_kafka_is_one_of_the_contract_and_none_is_from_the_future(topics: Topics, cache: Path) -> None:
    kafka = topics(3)
    _play(kafka, cache, "demo", 400.0, 8.0)
    predictions, outcomes = read_all(kafka, PREDICTIONS), read_all(kafka, OUTCOMES)
    assert predictions
    assert outcomes
    for record in predictions:
        prediction = msgspec.json.decode(record.value, type=Prediction)
        assert record.key == prediction.prediction_id.encode()
        assert _ms(prediction.created_at) <= record.written_at
    for record in outcomes:
        outcome = msgspec.json.decode(record.value, type=Outcome)
        assert record.key == outcome.prediction_id.encode()
        assert _ms(outcome.created_at) <= record.written_at
    assert {record.key for record in outcomes} <= {record.key for record in predictions}


def test_two_runs_share_no_prediction_id(topics: Topics, cache: Path) -> None:
    kafka = topics(2)
    for _ in range(2):
        _play(kafka, cache, "flood", 2_000.0, 1.0)
    keys = [record.key for record in read_all(kafka, PREDICTIONS)]
    assert len(keys) == len(set(keys))
    assert {record.key for record in read_all(kafka, OUTCOMES)} <= set(keys)


def test_a_flood_goes_as_fast_as_kafka_takes_it(topics: Topics, cache: Path) -> None:
    produced, acknowledged, failed = _counts(_play(topics(4), cache, "flood", math.inf, 2.0))
    assert produced > 2 * 30_000 / slowness()
    assert (acknowledged, failed) == (produced, 0)


def test_a_faster_event_time_begins_in_the_past_and_ends_now(topics: Topics, cache: Path) -> None:
    kafka = topics(1)
    begin_ms = time.time() * 1000
    _play(kafka, cache, "steady", 300.0, 4.0, speed=600.0)
    times = [_ms(msgspec.json.decode(record.value, type=Prediction).created_at) for record in read_all(kafka, PREDICTIONS)]
    assert min(times) == pytest.approx(begin_ms - 4_000 * 599, abs=60_000)
    assert begin_ms - 60_000 < max(times) <= time.time() * 1000
    assert read_all(kafka, OUTCOMES)


def test_incidents_are_announced_on_the_console_in_the_log_and_to_a_listener(topics: Topics, cache: Path, tmp_path: Path) -> None:
    text = (FOLDER / "steady.toml").read_text()
    incident = '\n[[incidents]]\nkind = "latency_spike"\nmodel = "digits"\nat = "1s"\nfor = "2s"\nfactor = 4.0\n'
    scenario = tmp_path / "spike.toml"
    scenario.write_text(text.replace('name = "steady"', 'name = "spike"') + incident)
    said: list[Announcement] = []
    out = io.StringIO()
    run_scenario(
        kafka=topics(1), scenario=str(scenario), rate=100, duration_s=5, seed=1, speed=1, cache=cache, out=out, listener=said.append
    )
    assert [(one.phase, one.model, one.kind) for one in said] == [("begin", "digits", "latency_spike"), ("end", "digits", "latency_spike")]
    assert said[1].at - said[0].at == 2_000
    assert len(re.findall(r"^\d\d:\d\d:\d\dZ  (?:BEGIN|END  )  digits: latency spike: .*$", out.getvalue(), re.MULTILINE)) == 2
    logged = [msgspec.json.decode(line, type=Announcement) for line in (cache / INCIDENT_LOG).read_bytes().splitlines()]
    assert logged[-2:] == said


def test_history_is_acknowledged_and_lies_in_the_past(topics: Topics, cache: Path) -> None:
    kafka = topics(2)
    out = io.StringIO()
    now_ms = time.time_ns() // 1_000_000
    replay_history(kafka=kafka, scenario="demo", days=0.3, now_ms=now_ms, seed=1, cache=cache, out=out)
    produced, acknowledged, _ = _counts(out.getvalue())
    predictions, outcomes = read_all(kafka, PREDICTIONS), read_all(kafka, OUTCOMES)
    assert produced == acknowledged == len(predictions) + len(outcomes)
    made = [_ms(msgspec.json.decode(record.value, type=Prediction).created_at) for record in predictions]
    assert now_ms - 0.36 * 86_400_000 < min(made) < max(made) < now_ms
    assert all(record.written_at >= now_ms for record in predictions)


def test_sigterm_ends_a_run_with_its_report_and_exit_code_0(topics: Topics, cache: Path) -> None:
    kafka = topics(1)
    program = f"""
import sys
from pathlib import Path
from loadgen.app import run_scenario
from schemas.kafka import KafkaSettings
kafka = KafkaSettings(bootstrap_servers={kafka.bootstrap_servers!r})
run_scenario(kafka=kafka, scenario="steady", rate=100, duration_s=None, seed=1, speed=1, cache=Path({str(cache)!r}), out=sys.stdout)
"""
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: len(read_all(kafka, PREDICTIONS)) > 20, "the run sends predictions")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    produced, acknowledged, failed = _counts(out)
    assert produced == acknowledged > 20
    assert failed == 0


def test_kafka_that_is_down_is_waited_for_with_one_line(cache: Path) -> None:
    nowhere = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    out, stop = io.StringIO(), threading.Event()
    run = threading.Thread(
        target=lambda: run_scenario(
            kafka=nowhere, scenario="steady", rate=10, duration_s=None, seed=1, speed=1, cache=cache, out=out, stop=stop
        )
    )
    run.start()
    wait_until(lambda: "does not answer" in out.getvalue(), "the run says that it waits")
    stop.set()
    run.join(20)
    assert not run.is_alive()
    assert out.getvalue() == "Kafka at 127.0.0.1:1 does not answer; waiting for it\n"


@pytest.mark.parametrize(("rate", "speed", "says"), [(-1.0, 1.0, "rate must be more than 0"), (None, 0.0, "speed must be more than 0")])
def test_a_rate_or_speed_that_cannot_be_is_an_error(cache: Path, rate: float | None, speed: float, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        _play(KafkaSettings(bootstrap_servers="127.0.0.1:1"), cache, "demo", rate, 1.0, speed)


def test_what_is_trained_is_the_real_thing(trained: dict[str, Trained]) -> None:
    for models in trained.values():
        assert all(type(model).__module__.startswith("sklearn.") for model in (models.stable, models.canary))
