"""Events that Kafka drops before they were read stop the pipeline with one line, unless the loss is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.resume import _start, shard_count
from schemas.errors import LogTruncated, TowerError
from schemas.kafka import KafkaSettings
from schemas.topics import PREDICTIONS
from tests.pipeline.running import Pipeline, Services, caught_up, now_ms, volume

Topics = Callable[[int], KafkaSettings]
PLACE = (PREDICTIONS, 0)


def test_a_loss_is_told_in_one_line_and_with_accept_loss_it_goes_on(topics: Topics, admin: AdminClient, tmp_path: Path) -> None:
    kafka, at = topics(1), now_ms()
    services = Services(kafka)
    services.serve(*({"prediction_id": f"a{number}", "created_at": at} for number in range(4)))
    caught_up(tmp_path, kafka)
    services.serve(*({"prediction_id": f"b{number}", "created_at": at} for number in range(6)))
    admin.delete_records([TopicPartition(PREDICTIONS, 0, 7)])[TopicPartition(PREDICTIONS, 0)].result()
    with Pipeline(tmp_path, kafka, "--until-caught-up") as refused:
        before = len(refused.output())
        assert refused.ends() == 1
        (line,) = refused.output()[before:].splitlines()
        assert line.startswith("tower: predictions/0: the events from offset 4 on were dropped by the topic's retention")
        assert "pipeline.accept_loss = true" in line
    caught_up(tmp_path, kafka, toml="[pipeline]\naccept_loss = true")
    assert volume(tmp_path, kafka) == 4 + 3


def test_a_topic_that_was_made_anew_under_a_home_is_told(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    Services(kafka).serve({"prediction_id": "a", "created_at": now_ms()})
    caught_up(tmp_path, kafka)
    topics(1)
    with Pipeline(tmp_path, kafka, "--until-caught-up") as refused:
        assert refused.ends() == 1
        assert "predictions/0: offset 1 was read, but the topic ends at 0: it was made anew" in refused.output().splitlines()[-1]


@pytest.mark.parametrize(
    ("committed", "low", "start"),
    [
        ([{}, {}], 0, 0),
        ([{}, {}], 70, 70),
        ([{PLACE: 90}, {PLACE: 80}], 70, 80),
        ([{PLACE: 90}, {PLACE: 90}], 90, 90),
        ([{PLACE: 90}, {}], 70, 70),
    ],
    ids=["new home", "new home, old topic", "the slowest shard", "all read", "a shard killed before its first commit"],
)
def test_reading_goes_on_where_the_slowest_shard_has_committed(committed: list[dict[tuple[str, int], int]], low: int, start: int) -> None:
    assert _start(PLACE, committed, low, 100, accept_loss=False) == start


def test_reading_goes_on_behind_a_loss_only_when_it_is_accepted() -> None:
    with pytest.raises(LogTruncated):
        _start(PLACE, [{PLACE: 60}, {PLACE: 80}], 70, 100, accept_loss=False)
    assert _start(PLACE, [{PLACE: 60}, {PLACE: 80}], 70, 100, accept_loss=True) == 70


def test_the_number_of_shards_is_that_of_the_home_on_a_machine_with_other_cores_too(tmp_path: Path) -> None:
    assert shard_count(tmp_path, 0, default=4) == 4
    assert shard_count(tmp_path, 0, default=8) == 4
    assert shard_count(tmp_path, 4, default=8) == 4
    with pytest.raises(TowerError, match="was made with 4 shards, not 6 - leave"):
        shard_count(tmp_path, 6, default=8)
