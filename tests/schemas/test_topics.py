"""The contract's topics are made with their settings, once, and what is there already is accepted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from schemas.errors import BrokerUnavailable
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import ALERTS, DEAD_LETTERS, METRICS, OUTCOMES, PREDICTIONS, TOPICS, ensure_topics
from tests.conftest import remove_topics
from tests.waiting import wait_until

NAMES = [topic.name for topic in TOPICS]
Topics = Callable[[int], KafkaSettings]


def settings_of(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    return {name: entry.value for name, entry in admin.describe_configs([resource])[resource].result().items()}


def partitions(admin: AdminClient) -> dict[str, int]:
    known = admin.list_topics(timeout=10).topics
    return {name: len(known[name].partitions) for name in NAMES if name in known}


def test_topics_have_the_partitions_and_settings_of_the_contract(topics: Topics, admin: AdminClient) -> None:
    topics(3)
    assert partitions(admin) == {PREDICTIONS: 3, OUTCOMES: 3, METRICS: 1, ALERTS: 1, DEAD_LETTERS: 1}
    policies = {name: set(settings_of(admin, name)["cleanup.policy"].split(",")) for name in NAMES}
    assert policies == {
        PREDICTIONS: {"delete"},
        OUTCOMES: {"delete"},
        METRICS: {"compact", "delete"},
        ALERTS: {"compact"},
        DEAD_LETTERS: {"delete"},
    }
    for name in NAMES:
        # Replayed events are old by their own time: with the producer's time the retention would drop them at once.
        assert settings_of(admin, name)["message.timestamp.type"] == "LogAppendTime"
    assert int(settings_of(admin, PREDICTIONS)["retention.ms"]) == 7 * 86_400_000
    assert int(settings_of(admin, ALERTS)["retention.ms"]) == -1


def test_a_dead_letter_may_be_larger_than_the_message_it_holds(topics: Topics, admin: AdminClient) -> None:
    topics(1)
    largest = {name: int(settings_of(admin, name)["max.message.bytes"]) for name in NAMES}
    assert largest[DEAD_LETTERS] > largest[PREDICTIONS] + 10_000


def test_making_them_again_changes_nothing(topics: Topics, admin: AdminClient) -> None:
    topics(2)
    before = {name: settings_of(admin, name) for name in NAMES}
    assert ensure_topics(admin, event_partitions=7, retention_bytes=12_345) == []
    assert partitions(admin)[PREDICTIONS] == 2
    assert {name: settings_of(admin, name) for name in NAMES} == before


def test_a_topic_with_other_partitions_is_accepted_and_the_missing_ones_are_made(topics: Topics, admin: AdminClient) -> None:
    topics(1)
    remove_topics(admin, [PREDICTIONS, DEAD_LETTERS])
    admin.create_topics([NewTopic(PREDICTIONS, num_partitions=5, replication_factor=1)])[PREDICTIONS].result()
    wait_until(lambda: partitions(admin).get(PREDICTIONS) == 5, "the foreign topic is there")
    assert ensure_topics(admin, event_partitions=3) == [DEAD_LETTERS]
    wait_until(lambda: len(partitions(admin)) == len(NAMES), "all topics are there")
    assert partitions(admin) == {PREDICTIONS: 5, OUTCOMES: 1, METRICS: 1, ALERTS: 1, DEAD_LETTERS: 1}


def test_a_broker_that_refuses_is_one_line_with_a_mend(admin: AdminClient) -> None:
    remove_topics(admin, NAMES)
    with pytest.raises(BrokerUnavailable, match=r"topic .* could not be created: .*replication factor.* - check the broker") as raised:
        ensure_topics(admin, event_partitions=1, replication_factor=5)
    assert isinstance(raised.value.__cause__, KafkaException)
    assert "\n" not in str(raised.value)


def test_a_broker_that_is_away_is_said_to_be() -> None:
    away = AdminClient(admin_config(KafkaSettings(bootstrap_servers="127.0.0.1:1")))
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        ensure_topics(away, event_partitions=1, timeout_s=1)
