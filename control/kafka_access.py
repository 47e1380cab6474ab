"""The Kafka that a command uses: the configured one, or the home's embedded one; with the topics of the contract made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from control.broker import EmbeddedBroker
from control.config import Config
from control.console import Console
from schemas.errors import BrokerUnavailable, ConfigurationError
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import TOPICS, ensure_topics

_REPORT_EVERY_S = 10.0


@contextmanager
def reachable_kafka(
    config: Config, console: Console, *, patience_s: float | None = 30.0, check: Callable[[], None] = lambda: None
) -> Iterator[KafkaSettings]:
    """Yield a Kafka that answers and has our topics; an embedded one is held until the end of the block.

    `patience_s` is how long a configured Kafka that does not answer is waited for; None waits for ever, or until `check` raises.
    Raises BrokerUnavailable when it does not answer, or refuses to make the topics.
    """
    if config.kafka.bootstrap_servers:
        _make_topics(config.kafka, console.line, patience_s, check, retention_bytes=-1)
        yield config.kafka
        return
    with EmbeddedBroker(config.home, config.broker, report=console.line, progress=console.progress) as embedded:
        kafka = config.kafka.embedded(embedded.bootstrap_servers)
        _make_topics(kafka, console.line, 30.0, check, retention_bytes=config.broker.retention_mb * 1024 * 1024)
        yield kafka


def missing_topics(admin: AdminClient, timeout_s: float) -> list[str]:
    """Return the names of our topics that Kafka does not have. Raises KafkaException when it does not answer."""
    present = admin.list_topics(timeout=timeout_s).topics
    return [topic.name for topic in TOPICS if topic.name not in present]


def admin_client(kafka: KafkaSettings) -> AdminClient:
    """Return an admin client, which need not reach Kafka yet.

    Raises ConfigurationError, with the option's name, when librdkafka does not take one of `kafka.options`.
    """
    try:
        return AdminClient(admin_config(kafka))
    except (KafkaException, TypeError, ValueError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else error
        raise ConfigurationError(f"kafka.options: {reason}", "correct it; the names and values are librdkafka's") from error


def _make_topics(
    kafka: KafkaSettings, report: Callable[[str], None], patience_s: float | None, check: Callable[[], None], *, retention_bytes: int
) -> None:
    admin = admin_client(kafka)
    begin = time.monotonic()
    reported = -_REPORT_EVERY_S
    while True:
        check()
        try:
            if missing_topics(admin, timeout_s=2.0):
                ensure_topics(
                    admin,
                    event_partitions=kafka.event_partitions,
                    replication_factor=kafka.replication_factor,
                    retention_bytes=retention_bytes,
                )
            return
        except KafkaException as error:
            waited = time.monotonic() - begin
            reason = f"Kafka at {kafka.bootstrap_servers} does not answer: {error.args[0].str()}"
            if patience_s is not None and waited >= patience_s:
                raise BrokerUnavailable(reason, "start it, or correct kafka.bootstrap_servers; ./tower doctor checks both") from error
            if waited - reported >= _REPORT_EVERY_S:
                report(f"{reason}; waiting for it")
                reported = waited
