"""The embedded Kafka is one for a home, comes back after every kill, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from control.broker import EmbeddedBroker
from control.broker.files import BrokerFiles
from schemas.kafka import KafkaSettings, admin_config, consumer_config, producer_config
from schemas.topics import OUTCOMES, ensure_topics
from tests.control.broker_users import BrokerUser, alive, all_ended, state_of
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of this file's broker; its name has what tends to break paths."""
    return tmp_path_factory.mktemp("home") / "a, b's {home}"


@pytest.fixture(scope="module")
def kafka(home: Path) -> Iterator[KafkaSettings]:
    with EmbeddedBroker(home) as settings:
        ensure_topics(AdminClient(admin_config(settings)), event_partitions=1)
        yield settings


def produce(kafka: KafkaSettings, value: bytes) -> None:
    producer = Producer(producer_config(kafka))
    producer.produce(OUTCOMES, value)
    assert producer.flush(60) == 0


def end_offset(kafka: KafkaSettings) -> int:
    consumer = Consumer(consumer_config(kafka, "test"))
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(OUTCOMES, 0), timeout=20)[1])
    except KafkaException:
        return -1
    finally:
        consumer.close()


def test_it_listens_on_this_machine_alone(kafka: KafkaSettings, home: Path) -> None:
    listening = [one for one in psutil.Process(state_of(home).jvm_pid).net_connections() if one.status == psutil.CONN_LISTEN]
    assert {str(one.laddr.ip).removeprefix("::ffff:") for one in listening} == {"127.0.0.1"}
    assert len(listening) == 2


def test_many_that_come_at_once_share_one(kafka: KafkaSettings, home: Path) -> None:
    users = [BrokerUser(home) for _ in range(3)]
    assert {user.address() for user in users} == {kafka.bootstrap_servers}
    before = state_of(home)
    assert [user.leave() for user in users] == [0, 0, 0]
    assert state_of(home) == before
    assert alive(before.jvm_pid)


def test_a_killed_kafka_comes_back_with_its_events_on_the_same_port(kafka: KafkaSettings, home: Path) -> None:
    produce(kafka, b"before")
    offset = end_offset(kafka)
    before = state_of(home)
    os.kill(before.jvm_pid, signal.SIGKILL)
    wait_until(lambda: state_of(home).jvm_pid != before.jvm_pid and state_of(home).status == "listening", "Kafka is back", 60)
    wait_until(lambda: end_offset(kafka) == offset, "the events are there", 60)
    produce(kafka, b"after")
    assert end_offset(kafka) == offset + 1
    assert state_of(home).restarts == before.restarts + 1
    assert state_of(home).keeper_pid == before.keeper_pid


def test_a_killed_keeper_is_replaced_and_never_are_there_two_kafkas(kafka: KafkaSettings, home: Path) -> None:
    offset = end_offset(kafka)
    before = state_of(home)
    os.kill(before.keeper_pid, signal.SIGKILL)
    wait_until(lambda: state_of(home).keeper_pid != before.keeper_pid and state_of(home).status == "listening", "a new keeper", 60)
    assert not alive(before.jvm_pid)
    wait_until(lambda: end_offset(kafka) == offset, "the events are there", 60)
    marker = f"-Dtower.broker={BrokerFiles(home).folder}"
    running = [one.pid for one in psutil.process_iter(["cmdline"]) if marker in (one.info["cmdline"] or [])]
    assert running == [state_of(home).jvm_pid]


def test_it_outlives_a_killed_starter_while_others_use_it_and_ends_with_the_last(tmp_path: Path) -> None:
    with BrokerUser(tmp_path) as starter:
        address = starter.address()
        with BrokerUser(tmp_path) as other:
            assert other.address() == address
            state = state_of(tmp_path)
            starter.kill()
            # Joining and leaving again takes longer than a keeper needs to notice that nobody is there.
            with BrokerUser(tmp_path) as third:
                assert third.address() == address
                assert third.leave() == 0
            assert state_of(tmp_path) == state
            assert other.leave() == 0
            assert all_ended(tmp_path, state)


def test_when_all_users_are_killed_it_ends_and_the_next_one_finds_the_events(tmp_path: Path) -> None:
    # The folder that it is called from, and a locale that knows ASCII alone, are no hindrance.
    tmp_path = tmp_path / "größe"
    tmp_path.mkdir()
    (tmp_path / "msgspec.py").write_text("raise SystemExit('imported')")
    with BrokerUser(tmp_path, cwd=tmp_path, more={"LC_ALL": "C"}) as user:
        kafka = KafkaSettings(bootstrap_servers=user.address())
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=1)
        produce(kafka, b"kept")
        state = state_of(tmp_path)
        user.kill()
    wait_until(lambda: all_ended(tmp_path, state), "keeper and Kafka have ended")
    with EmbeddedBroker(tmp_path) as again:
        assert again.bootstrap_servers == kafka.bootstrap_servers
        wait_until(lambda: end_offset(again) == 1, "the event is there")
        killed = state_of(tmp_path)
    assert all_ended(tmp_path, killed)


def test_everything_killed_at_once_leaves_no_kafka_and_the_port_may_be_taken_meanwhile(tmp_path: Path) -> None:
    with BrokerUser(tmp_path) as user:
        user.address()
        state = state_of(tmp_path)
        os.kill(state.keeper_pid, signal.SIGKILL)
        user.kill()
    wait_until(lambda: all_ended(tmp_path, state), "Kafka has ended")
    # What a format that was interrupted by a kill leaves, beside a complete folder.
    (tmp_path / "broker" / "data.new").mkdir()
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", state.port))
        taker.listen()
        with EmbeddedBroker(tmp_path) as again:
            assert again.bootstrap_servers != f"127.0.0.1:{state.port}"
