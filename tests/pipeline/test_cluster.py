"""A cluster on one machine: it is started and stopped as one, and a dead member costs no number."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from schemas.kafka import KafkaSettings
from tests.pipeline.running import Pipeline, Readers, Services, caught_up, now_ms, until, volume

Topics = Callable[[int], KafkaSettings]
TWO = ("--processes", "2")


def test_when_a_member_is_killed_all_start_again_and_no_number_changes(topics: Topics, tmp_path: Path) -> None:
    kafka, at = topics(2), now_ms() - 86_400_000
    at -= at % 60_000
    services, count = Services(kafka), 100_000
    services.flood(count, at)
    with Pipeline(tmp_path, kafka, *TWO) as pipeline, Readers(kafka) as readers:
        until(lambda: bool(readers.value("prediction_volume", "1h")), pipeline.output)
        first = pipeline.members()
        assert len(first) == 2
        first[1].kill()
        services.flood(1000, at, first=count)
        readers.wait_for("prediction_volume", count + 1000, "1h")
        second = pipeline.members()
        assert len(second) == 2
        assert {member.pid for member in second}.isdisjoint({member.pid for member in first})
        assert pipeline.output().count("starting all again") == 1
        assert pipeline.leaves(signal.SIGTERM) == 0
    caught_up(tmp_path, kafka, *TWO)
    assert volume(tmp_path, kafka, "1h") == count + 1000


def test_when_the_supervisor_is_killed_its_members_end_by_themselves_and_the_next_one_goes_on(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(2)
    services = Services(kafka)
    services.serve({"prediction_id": "a", "created_at": now_ms()})
    with Pipeline(tmp_path, kafka, *TWO) as pipeline, Readers(kafka) as readers:
        readers.wait_for("prediction_volume", 1)
        members = pipeline.members()
        pipeline.process.kill()
        pipeline.process.wait(10)
        assert psutil.wait_procs(members, 10)[1] == []
    services.serve({"prediction_id": "b", "created_at": now_ms()})
    caught_up(tmp_path, kafka)
    assert volume(tmp_path, kafka) == 2
