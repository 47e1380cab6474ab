"""What tests of all parts share: a real Kafka for the session, and topics that are fresh for a test."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from playwright.sync_api import Browser, sync_playwright

from control.broker import EmbeddedBroker
from control.broker.settings import BrokerSettings
from control.chromium import ensure_chromium
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import TOPICS, ensure_topics
from tests.waiting import DEADLINE_S, wait_until

pytest_plugins = ["tests.chaos.report"]

PATIENT = BrokerSettings(start_timeout_ms=300_000)
"""A Kafka that is given up and started again while the machine is busy never comes up."""


def pytest_configure() -> None:
    """Set what all processes of a run inherit."""
    # Ctrl-C works even when it came ignored, as a shell has it for what runs in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The code is compiled once, not by each of some hundred processes, and a Kafka of seconds is compiled quickly rather than well.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaSettings]:
    """The Kafka of this test session: a freshly started embedded broker, without topics; stopped at the end."""
    with EmbeddedBroker(tmp_path_factory.mktemp("kafka-home"), PATIENT, report=print, progress=print) as settings:
        yield settings


@pytest.fixture(scope="session")
def admin(kafka: KafkaSettings) -> AdminClient:
    """An admin client of the session's Kafka."""
    return AdminClient(admin_config(kafka))


@pytest.fixture
def topics(kafka: KafkaSettings, admin: AdminClient) -> Callable[[int], KafkaSettings]:
    """Return a function that makes all topics of the contract anew and empty, with so many partitions for events."""

    def fresh(event_partitions: int = 4) -> KafkaSettings:
        remove_topics(admin, [topic.name for topic in TOPICS])
        ensure_topics(admin, event_partitions=event_partitions)
        wait_until(lambda: have_leaders(admin), "all partitions have their leaders")
        return KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, event_partitions=event_partitions)

    return fresh


@pytest.fixture
def new_kafka(tmp_path: Path) -> Iterator[KafkaSettings]:
    """A Kafka of this test's own, for tests that stop it or fill it; takes some seconds to start."""
    with EmbeddedBroker(tmp_path / "kafka-home", PATIENT, report=print, progress=print) as settings:
        yield settings


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Return the Chromium of the browser tests: Playwright's own, or the system's."""
    return ensure_chromium()


@pytest.fixture(scope="session")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """Return a headless Chromium for the session; make a `browser.new_context()` in each test."""
    # Chromium refuses to run as root within its sandbox, and small /dev/shm of containers lets it crash.
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_path, args=arguments)
        yield running
        running.close()


def have_leaders(admin: AdminClient) -> bool:
    """Say whether every partition of our topics can be used: metadata names its leader before that is ready."""
    known = admin.list_topics(timeout=DEADLINE_S).topics
    if any(topic.name not in known for topic in TOPICS):
        return False
    newest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(topic.name, partition): newest for topic in TOPICS for partition in known[topic.name].partitions}
    return all(future.exception() is None for future in admin.list_offsets(wanted, request_timeout=DEADLINE_S).values())


def remove_topics(admin: AdminClient, names: list[str]) -> None:
    """Delete those of the topics that exist, and wait until they are gone."""
    present = [name for name in names if name in admin.list_topics(timeout=DEADLINE_S).topics]
    if not present:
        return
    for future in admin.delete_topics(present, operation_timeout=DEADLINE_S).values():
        try:
            future.result()
        except KafkaException as error:
            pytest.fail(f"a topic could not be deleted: {error}")
    wait_until(lambda: not set(present) & set(admin.list_topics(timeout=DEADLINE_S).topics), f"topics {present} are gone")
