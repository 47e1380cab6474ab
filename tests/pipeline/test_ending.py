"""What ends a run: new partitions do, compared with those that are read by then; and nothing of it holds up the end."""

from __future__ import annotations

import time

import pytest

from pipeline.ending import Ending
from pipeline.reading.pace import Position
from schemas.kafka import KafkaSettings
from schemas.topics import PREDICTIONS
from tests.waiting import DEADLINE_S, wait_until

NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:1")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the watch look without a pause."""
    monkeypatch.setattr("pipeline.ending._LOOK_EVERY_S", 0.0)


def test_a_partition_that_a_restarted_cluster_reads_already_is_not_new(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    there: set[Position] = {(PREDICTIONS, 0), (PREDICTIONS, 1)}

    def look(_: object) -> set[Position]:
        nonlocal looks
        looks += 1
        return there

    monkeypatch.setattr("pipeline.ending._partitions", look)
    ending, read = Ending(), [(PREDICTIONS, 0), (PREDICTIONS, 1)]
    with ending.by_new_partitions(NOWHERE, lambda: read):
        wait_until(lambda: looks > 2, "it looks")
        assert not ending.flag.is_set()
        there = {*there, (PREDICTIONS, 2)}
        assert ending.flag.wait(DEADLINE_S)
    assert ending.again()


def test_what_goes_wrong_while_it_looks_ends_the_run_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_: object) -> set[Position]:
        raise ValueError("no such thing")

    monkeypatch.setattr("pipeline.ending._partitions", look)
    ending = Ending()
    with pytest.raises(ValueError, match="no such thing"), ending.by_new_partitions(NOWHERE, list):
        assert ending.flag.wait(DEADLINE_S)


def test_a_kafka_that_is_silent_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.ending._ATTEMPT_S", DEADLINE_S)
    ending = Ending()
    with ending.by_new_partitions(NOWHERE, list):
        started = time.monotonic()
    assert time.monotonic() - started < DEADLINE_S / 2
    assert not ending.flag.is_set()
