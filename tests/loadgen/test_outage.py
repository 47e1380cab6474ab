from __future__ import annotations

import io
import os
import signal
import threading
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from control.broker.files import BrokerFiles, read_state
from loadgen.app import run_scenario
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import OUTCOMES, PREDICTIONS, ensure_topics
from tests.loadgen.reading import read_all
from tests.waiting import wait_until


@pytest.mark.usefixtures("trained")
def test_kafka_that_is_killed_is_waited_for_and_nothing_is_lost(new_kafka: KafkaSettings, tmp_path: Path, cache: Path) -> None:
    ensure_topics(AdminClient(admin_config(new_kafka)), event_partitions=2)
    state = read_state(BrokerFiles(tmp_path / "kafka-home").state)
    assert state is not None
    out, stop = io.StringIO(), threading.Event()
    run = threading.Thread(
        target=lambda: run_scenario(
            kafka=new_kafka, scenario="steady", rate=300, duration_s=None, seed=1, speed=1, cache=cache, out=out, stop=stop
        )
    )
    run.start()
    wait_until(lambda: len(read_all(new_kafka, PREDICTIONS)) > 100, "the run sends predictions")
    os.kill(state.jvm_pid, signal.SIGKILL)
    wait_until(lambda: "Kafka is back" in out.getvalue(), "the run goes on after Kafka has come back", deadline_s=60)
    stop.set()
    run.join(30)
    lines = out.getvalue().splitlines()
    assert sum("does not answer; waiting for it" in line for line in lines) == 1
    assert sum("Kafka is back" in line for line in lines) == 1
    produced = int(lines[-1].split(" ")[0].replace(",", ""))
    assert lines[-1] == f"{produced:,} produced, {produced:,} acknowledged, 0 failed"
    assert len(read_all(new_kafka, PREDICTIONS)) + len(read_all(new_kafka, OUTCOMES)) == produced
