"""What the tests of the benchmarks share: a stage with a few thousand events, and the tests that run on request alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from benchmarks.throughput.__main__ import prepare
from benchmarks.throughput.candidate import Stage
from schemas.kafka import KafkaSettings
from schemas.topics import TOPICS, ensure_topics
from tests.conftest import have_leaders, remove_topics
from tests.waiting import wait_until

EVENTS = 8_000
"""Enough for outcomes and repeats to occur, and for several events a window."""


@pytest.fixture(scope="module")
def stage(kafka: KafkaSettings, admin: AdminClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Events on a real Kafka, and what must come of them."""
    names = [topic.name for topic in TOPICS]
    remove_topics(admin, names)
    ensure_topics(admin, event_partitions=4)
    wait_until(lambda: have_leaders(admin), "all partitions have their leaders")
    yield prepare(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers), tmp_path_factory.mktemp("stage"), EVENTS, seed=7)
    remove_topics(admin, names)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what downloads other engines, unless it is asked for."""
    if "peers" in config.option.markexpr:
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("peers"):
            item.add_marker(pytest.mark.skip(reason="other engines are downloaded only with `-m peers`"))
