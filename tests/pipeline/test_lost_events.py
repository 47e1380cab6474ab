"""Events that Kafka drops before they were read stop the pipeline with one line, unless the loss is accepted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.origins import KafkaTopic, Origins, WayOn, way_on
from pipeline.reading.pace import Position
from pipeline.resume import _rewind, shard_count
from pipeline.shard.state import ShardState
from schemas.errors import LogTruncated, TowerError
from schemas.kafka import KafkaSettings
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import outcome, prediction
from tests.pipeline.running import Pipeline, Services, caught_up, now_ms, volume
from tests.pipeline.shards import OneShard

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


def test_a_topic_that_was_made_anew_under_a_home_is_told_and_with_accept_loss_it_is_read_from_its_beginning(
    topics: Topics, tmp_path: Path
) -> None:
    kafka, at = topics(1), now_ms()
    Services(kafka).serve({"prediction_id": "a", "created_at": at})
    caught_up(tmp_path, kafka)
    topics(1)
    Services(kafka).serve(*({"prediction_id": name, "created_at": at} for name in "bcd"))
    with Pipeline(tmp_path, kafka, "--until-caught-up") as refused:
        assert refused.ends() == 1
        assert "predictions was made anew: it is not the topic that was read here - use a new" in refused.output().splitlines()[-1]
    for _ in range(2):
        caught_up(tmp_path, kafka, toml="[pipeline]\naccept_loss = true")
        assert volume(tmp_path, kafka) == 1 + 3


def topic(low: int, high: int, number: str = "A") -> dict[str, KafkaTopic]:
    return {PREDICTIONS: KafkaTopic(number, {0: (low, high)})}


SINCE_0 = Origins({PREDICTIONS: "A"}, {PLACE: 0})
SINCE_70 = Origins({PREDICTIONS: "A"}, {PLACE: 70})


@pytest.mark.parametrize(
    ("committed", "origins", "low", "start"),
    [
        ([{}, {}], Origins(), 0, 0),
        ([{}, {}], Origins(), 70, 70),
        ([{PLACE: 90}, {PLACE: 80}], SINCE_0, 70, 80),
        ([{PLACE: 90}, {PLACE: 90}], SINCE_0, 90, 90),
        ([{PLACE: 90}, {}], SINCE_0, 0, 0),
        ([{PLACE: 90}, {}], SINCE_70, 70, 70),
        ([{PLACE: 90}, {}], Origins(), 70, 70),
        ([{}, {}], Origins({PREDICTIONS: "A"}), 0, 0),
    ],
    ids=[
        "new home",
        "new home, old topic",
        "the slowest shard",
        "all read",
        "a shard that has lost all",
        "a shard killed before its first commit",
        "a home of before",
        "a new partition",
    ],
)
def test_reading_goes_on_where_the_slowest_shard_has_committed(
    committed: list[dict[Position, int]], origins: Origins, low: int, start: int
) -> None:
    way = way_on(committed, origins, topic(low, 100), accept_loss=False)
    assert (way.start, way.another, way.ends) == ({PLACE: start}, frozenset(), {})
    assert way.origins == Origins({PREDICTIONS: "A"}, {PLACE: origins.began.get(PLACE, low)})


@pytest.mark.parametrize(
    ("committed", "origins", "now", "what", "start", "again"),
    [
        ([{PLACE: 60}, {PLACE: 60}], SINCE_0, topic(70, 100), "from offset 60 on .* before they were read$", 70, 0),
        ([{PLACE: 90}, {PLACE: 60}], SINCE_0, topic(70, 100), "from offset 60 on .* before they were read by shard 1$", 70, 0),
        ([{PLACE: 90}, {}], SINCE_0, topic(70, 100), "from offset 0 on .* before they were read by shard 1$", 70, 0),
        ([{}, {}], Origins({PREDICTIONS: "A"}), topic(70, 100), "from offset 0 on .* before they were read$", 70, 0),
        ([{PLACE: 80}, {PLACE: 90}], SINCE_0, topic(0, 85), "0 was read up to offset 90, but Kafka has lost its end from 85 on$", 80, 0),
        ([{PLACE: 80}, {PLACE: 90}], SINCE_0, topic(5, 700, "B"), "predictions was made anew", 5, 5),
        ([{PLACE: 80}, {PLACE: 90}], Origins(), topic(5, 70, ""), "predictions was made anew", 5, 5),
    ],
    ids=[
        "retention",
        "an old copy of a shard",
        "a shard lost",
        "retention in a new partition",
        "the end lost",
        "another topic",
        "another topic, by its end",
    ],
)
def test_what_is_missing_is_told_and_gone_on_from_only_when_it_is_accepted(
    committed: list[dict[Position, int]], origins: Origins, now: dict[str, KafkaTopic], what: str, start: int, again: int
) -> None:
    with pytest.raises(LogTruncated) as told:
        way_on(committed, origins, now, accept_loss=False)
    assert re.search(what, told.value.what)
    assert "pipeline.accept_loss = true" in told.value.mend
    way = way_on(committed, origins, now, accept_loss=True)
    assert (way.start, way.origins.began) == ({PLACE: start}, {PLACE: again})


def test_shards_forget_progress_that_is_none_any_more_and_nothing_else(tmp_path: Path) -> None:
    shard = OneShard(tmp_path)
    for name, events in ((PREDICTIONS, [prediction(prediction_id=name) for name in "abc"]), (OUTCOMES, [outcome()])):
        shard.played(name, *events)
    shard.close()

    def left(another: set[str], ends: dict[Position, int]) -> dict[Position, int]:
        _rewind([tmp_path], WayOn({}, Origins(), frozenset(another), ends))
        state = ShardState(tmp_path)
        state.close()
        assert (state.sequence, set(state.watermark)) == (shard.updates[-1].sequence, {PREDICTIONS, OUTCOMES})
        return state.progress

    assert left(set(), {PLACE: 2}) == {PLACE: 2, (OUTCOMES, 0): 1}
    assert left({OUTCOMES}, {}) == {PLACE: 2}


def test_another_topic_of_which_nothing_was_read_is_no_loss() -> None:
    assert way_on([{}, {}], SINCE_70, topic(5, 10, "B"), accept_loss=False).start == {PLACE: 5}


def test_the_number_of_shards_is_that_of_the_home_on_a_machine_with_other_cores_too(tmp_path: Path) -> None:
    assert shard_count(tmp_path, 0, default=4) == 4
    assert shard_count(tmp_path, 0, default=8) == 4
    assert shard_count(tmp_path, 4, default=8) == 4
    with pytest.raises(TowerError, match="was made with 4 shards, not 6 - leave"):
        shard_count(tmp_path, 6, default=8)
