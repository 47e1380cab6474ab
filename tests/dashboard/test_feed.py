"""The feed reads a real topic from where the export ends: no gap, nothing twice, whatever happens to the broker."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.dashboard.sample import publish, write_lake
from control.broker.files import BrokerFiles, read_state
from dashboard.feed import Feed
from dashboard.scope import Scope
from dashboard.store import Store
from schemas.kafka import KafkaSettings, admin_config, producer_config
from schemas.lake import export_manifest
from schemas.metrics import REVISION, MetricsMessage
from schemas.topics import METRICS, ensure_topics
from tests.conftest import remove_topics
from tests.dashboard.messages import MINUTE_MS, WHOLE, block_of, encoded, message, row
from tests.waiting import wait_until

Topics = Callable[[int], KafkaSettings]


class RecordingStore(Store):
    """A store that also notes which offsets it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets: list[int] = []

    def receive(self, key: bytes, value: bytes, partition: int, offset: int) -> None:
        assert partition == 0
        self.offsets.append(offset)
        super().receive(key, value, partition, offset)


class Running:
    """A feed with what it told."""

    def __init__(self, kafka: KafkaSettings, home: Path) -> None:
        self.store = RecordingStore()
        self.states: list[str] = []
        self.errors: list[Exception] = []
        self.reloads: list[list[Scope]] = []
        self.feed = Feed(
            home=home,
            kafka=kafka,
            store=self.store,
            changed=self.note,
            failed=self.errors.append,
            reload=self.reloads.append,
            tick_s=0.1,
            push_s=0.05,
            now_ms=lambda: 1,
        )

    def note(self) -> None:
        state = self.feed.status.state
        if self.states[-1:] != [state]:
            self.states.append(state)

    def wait_for(self, *offsets: int) -> None:
        wait_until(lambda: bool(self.errors) or self.store.offsets[-1:] == [offsets[-1]], f"offset {offsets[-1]} is read")
        assert self.errors == []
        assert self.store.offsets == list(offsets)
        wait_until(lambda: self.feed.status.state == "live" and self.feed.status.lag == 0, "the feed is live")


@contextmanager
def following(kafka: KafkaSettings, home: Path) -> Iterator[Running]:
    running = Running(kafka, home)
    running.feed.start()
    try:
        yield running
    finally:
        running.feed.stop()
        assert not running.feed.is_alive()


def minutes(first: int, last: int) -> list[MetricsMessage]:
    """One message for each minute; its number is the minute's."""
    return [message("1m", minute * MINUTE_MS, row("error_rate", minute)) for minute in range(first, last)]


def exported_up_to(home: Path, offset: int) -> None:
    export_manifest(home).parent.mkdir(parents=True, exist_ok=True)
    export_manifest(home).write_text(json.dumps({"exported_at": 1, "offsets": {"0": offset}, "newest_event_time": 1}))


def test_without_an_export_the_log_is_read_from_its_beginning_and_then_live(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    publish(kafka, minutes(0, 30))
    with following(kafka, tmp_path) as running:
        running.wait_for(*range(30))
        publish(kafka, minutes(30, 35))
        running.wait_for(*range(35))
        assert running.store.fleet("churn")["1m", "", "error_rate"].value.tolist() == list(range(35))


def test_after_an_export_just_the_rest_is_read_and_with_the_lake_there_is_no_gap(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    everything = minutes(0, 50)
    publish(kafka, everything)
    write_lake(tmp_path, everything[:20], offset=20)
    with following(kafka, tmp_path) as running:
        running.wait_for(*range(20, 50))
        running.store.load_fleet("churn", "1m", block_of(everything[:20]))
        assert running.store.fleet("churn")["1m", "", "error_rate"].value.tolist() == list(range(50))


def test_a_window_that_is_withdrawn_is_gone_and_the_lake_does_not_bring_it_back(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    everything = minutes(0, 5)
    publish(kafka, everything)
    producer = Producer(producer_config(kafka))
    for number in (1, 2, 7):
        producer.produce(METRICS, key=encoded(message("1m", number * MINUTE_MS))[0], value=None, headers={REVISION: b"5"})
    assert producer.flush(30) == 0
    # One of them is there again, and the clock has been set back meanwhile.
    publish(kafka, [msgspec.structs.replace(one, revision=6, updated_at=0) for one in minutes(2, 3)])
    with following(kafka, tmp_path) as running:
        running.wait_for(*range(9))
        running.store.open(WHOLE)
        for series in (
            lambda: running.store.fleet("churn")["1m", "", "error_rate"],
            lambda: running.store.detail(WHOLE, "1m", "", "error_rate"),
        ):
            assert series().value.tolist() == [0, 2, 3, 4]
        lake = block_of([*everything[:2], *everything[3:], *minutes(7, 8)])
        running.store.load(WHOLE, "1m", lake)
        running.store.load_fleet("churn", "1m", lake)
        for series in (
            lambda: running.store.fleet("churn")["1m", "", "error_rate"],
            lambda: running.store.detail(WHOLE, "1m", "", "error_rate"),
        ):
            assert series().value.tolist() == [0, 2, 3, 4]


def test_an_export_beyond_what_the_log_keeps_is_no_obstacle(topics: Topics, admin: AdminClient, tmp_path: Path) -> None:
    kafka = topics(1)
    publish(kafka, minutes(0, 30))
    exported_up_to(tmp_path, 5)
    admin.delete_records([TopicPartition(METRICS, 0, 10)])[TopicPartition(METRICS, 0)].result()
    with following(kafka, tmp_path) as running:
        running.wait_for(*range(10, 30))


def test_an_export_of_another_log_is_no_obstacle(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    exported_up_to(tmp_path, 1_000)
    publish(kafka, minutes(0, 5))
    with following(kafka, tmp_path) as running:
        running.wait_for(*range(5))


def test_a_topic_that_is_made_anew_under_the_feed_is_read_from_its_beginning(topics: Topics, admin: AdminClient, tmp_path: Path) -> None:
    kafka = topics(1)
    publish(kafka, minutes(0, 30))
    with following(kafka, tmp_path) as running:
        running.wait_for(*range(30))
        topics(1)
        publish(kafka, minutes(100, 103))
        running.wait_for(*range(30), 0, 1, 2)


def test_a_topic_that_is_not_there_yet_is_waited_for(topics: Topics, admin: AdminClient, tmp_path: Path) -> None:
    kafka = topics(1)
    remove_topics(admin, [METRICS])
    with following(kafka, tmp_path) as running:
        wait_until(lambda: running.states == ["connecting"], "the feed waits")
        ensure_topics(admin, event_partitions=1)
        publish(kafka, minutes(0, 3))
        running.wait_for(0, 1, 2)


def test_what_is_no_metrics_message_is_counted_and_passed_over(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    producer = Producer(admin_config(kafka))
    for key, value in ((b"not JSON", b"{}"), (b'["churn","*","*","1m",0]', b"{"), (b'["churn","*","*","1m",0]', None)):
        producer.produce(METRICS, key=key, value=value)
    assert producer.flush(30) == 0
    publish(kafka, minutes(0, 2))
    with following(kafka, tmp_path) as running:
        running.wait_for(*range(5))
        assert running.feed.status.refused == 2


def test_open_scopes_are_read_again_once_an_export_has_what_the_tail_forgot(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    running = Running(kafka, tmp_path)
    running.store._tail._limit = 1_000
    running.feed.start()
    try:
        publish(kafka, minutes(0, 30))
        running.wait_for(*range(30))
        running.store.open(WHOLE)
        exported_up_to(tmp_path, 30)
        wait_until(lambda: [WHOLE] in running.reloads, "the scope is read again")
    finally:
        running.feed.stop()


@pytest.fixture
def own_kafka(new_kafka: KafkaSettings) -> KafkaSettings:
    ensure_topics(AdminClient(admin_config(new_kafka)), event_partitions=1)
    return new_kafka


def test_a_broker_that_is_killed_is_waited_for_and_nothing_is_missed_or_taken_twice(own_kafka: KafkaSettings, tmp_path: Path) -> None:
    publish(own_kafka, minutes(0, 20))
    with following(own_kafka, tmp_path / "home") as running:
        running.wait_for(*range(20))
        state = read_state(BrokerFiles(tmp_path / "kafka-home").state)
        assert state is not None
        os.kill(state.jvm_pid, signal.SIGKILL)
        wait_until(lambda: running.feed.status.state == "unreachable", "the feed says that Kafka is away")
        publish(own_kafka, minutes(20, 40))
        running.wait_for(*range(40))
        assert running.states[-3:] == ["unreachable", "catching up", "live"] or running.states[-2:] == ["unreachable", "live"]


def test_a_feed_stops_while_kafka_never_answered(tmp_path: Path) -> None:
    with following(KafkaSettings(bootstrap_servers="127.0.0.1:1"), tmp_path) as running:
        wait_until(lambda: running.states[-1:] == ["unreachable"], "the feed says that Kafka is away")


def test_an_error_in_what_is_done_with_the_data_is_told(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    running = Running(kafka, tmp_path)

    def broken() -> None:
        raise ValueError("no tile for this")

    running.feed._changed = broken
    running.feed.start()
    wait_until(lambda: [str(error) for error in running.errors] == ["no tile for this"], "the error is told")
    running.feed.stop()
    assert running.feed.status.state == "failed"
