"""Kafka may be down at the start, go away and come back: the pipeline waits, says so, and goes on by itself."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from control.broker.files import BrokerFiles, BrokerState, read_state
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import ensure_topics
from tests.pipeline.running import Pipeline, Readers, Services, now_ms, until, volume


@pytest.fixture
def own_kafka(new_kafka: KafkaSettings) -> KafkaSettings:
    ensure_topics(AdminClient(admin_config(new_kafka)), event_partitions=2)
    return new_kafka


@pytest.fixture
def broker(tmp_path: Path) -> Callable[[], BrokerState]:
    def state() -> BrokerState:
        found = read_state(BrokerFiles(tmp_path / "kafka-home").state)
        assert found is not None
        return found

    return state


@contextmanager
def silent(pid: int) -> Iterator[None]:
    """Let Kafka answer nothing for a while, as when its machine hangs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_kafka_that_is_killed_at_the_start_and_again_later_is_waited_for(
    own_kafka: KafkaSettings, broker: Callable[[], BrokerState], tmp_path: Path
) -> None:
    home, services = tmp_path / "home", Services(own_kafka)
    services.serve({"prediction_id": "first", "created_at": now_ms()})
    os.kill(broker().jvm_pid, signal.SIGKILL)
    with Pipeline(home, own_kafka) as pipeline, Readers(own_kafka) as readers:
        until(
            lambda: bool(re.search(f"Kafka at {own_kafka.bootstrap_servers} does not answer.*waiting for it", pipeline.output())),
            pipeline.output,
        )
        readers.wait_for("prediction_volume", 1)
        said = len(pipeline.output())
        os.kill(broker().jvm_pid, signal.SIGKILL)
        until(lambda: "waiting for it" in pipeline.output()[said:], pipeline.output)
        services.serve({"prediction_id": "second", "created_at": now_ms()})
        readers.wait_for("prediction_volume", 2)
        lines = pipeline.output().splitlines()
        print("\n".join(lines))
        assert len(lines) < 40, "a broker that is away for some seconds fills the log"
        until(lambda: "Kafka answers again" in pipeline.output()[said:], pipeline.output)
        assert "Traceback" not in pipeline.output()
        assert pipeline.leaves(signal.SIGTERM) == 0
    assert volume(home, own_kafka) == 2


@pytest.mark.parametrize(
    ("flags", "code"), [(("--until-caught-up",), 130), (("--processes", "2"), 0)], ids=["catching up", "two processes"]
)
def test_a_stop_while_kafka_is_silent_is_clean_and_what_was_not_sent_is_sent_next_time(
    flags: tuple[str, ...], code: int, own_kafka: KafkaSettings, broker: Callable[[], BrokerState], tmp_path: Path
) -> None:
    home, services, at = tmp_path / "home", Services(own_kafka), now_ms() - 86_400_000
    at -= at % 3_600_000
    services.flood(200_000, at)
    with Pipeline(home, own_kafka, *flags) as pipeline, Readers(own_kafka) as readers:
        until(lambda: bool(readers.value("prediction_volume", "1h")), pipeline.output)
        with silent(broker().jvm_pid):
            assert pipeline.leaves(signal.SIGTERM) == code
        assert ("stopped before it had caught up" in pipeline.output()) == (code != 0)
        assert "Traceback" not in pipeline.output()
    with Pipeline(home, own_kafka, "--until-caught-up") as again:
        assert again.ends() == 0
    assert volume(home, own_kafka, "1h") == 200_000


def test_a_stop_before_kafka_ever_answered_is_clean(tmp_path: Path) -> None:
    nowhere = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    with Pipeline(tmp_path, nowhere) as pipeline:
        until(lambda: "Kafka at 127.0.0.1:1 does not answer" in pipeline.output(), pipeline.output)
        assert pipeline.leaves(signal.SIGTERM) == 0
        assert len(pipeline.output().splitlines()) == 1
