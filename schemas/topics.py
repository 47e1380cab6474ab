"""The topics of Control Tower, and their creation."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.errors import BrokerUnavailable

PREDICTIONS = "predictions"
OUTCOMES = "outcomes"
METRICS = "tower.metrics"
ALERTS = "tower.alerts"
DEAD_LETTERS = "tower.dead-letters"

_DAY_MS = 86_400_000
LARGEST_DEAD_LETTER_BYTES = 16 * 1024 * 1024
"""A dead letter is the message as received and headers besides: where the largest message fits, its dead letter must too."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's name, its number of partitions when we create it, and its settings.

    `partitions` of 0 means the configured number for event topics.
    """

    name: str
    cleanup_policy: str
    partitions: int
    retention_ms: int


_PARTICULAR: dict[str, dict[str, str]] = {
    DEAD_LETTERS: {"max.message.bytes": str(LARGEST_DEAD_LETTER_BYTES)},
    # An open window is sent again and again: only segments that are closed are compacted, and the default closes one a week.
    METRICS: {"segment.ms": "600000", "segment.bytes": str(64 << 20), "min.cleanable.dirty.ratio": "0.2"},
}
TOPICS: tuple[Topic, ...] = (
    Topic(PREDICTIONS, "delete", 0, 7 * _DAY_MS),
    Topic(OUTCOMES, "delete", 0, 7 * _DAY_MS),
    Topic(METRICS, "compact,delete", 1, 2 * _DAY_MS),
    Topic(ALERTS, "compact", 1, -1),
    Topic(DEAD_LETTERS, "delete", 1, 30 * _DAY_MS),
)


def ensure_topics(
    admin: AdminClient, *, event_partitions: int, replication_factor: int = 1, retention_bytes: int = -1, timeout_s: float = 30
) -> list[str]:
    """Create the topics that are missing; return the names of those created.

    A topic that exists is accepted as it is, whatever its number of partitions; when all do, no right to create any is needed.
    `retention_bytes` bounds the disk of a partition of the topics that are not only compacted.
    Raises BrokerUnavailable when the broker does not answer or refuses.
    """
    try:
        present = admin.list_topics(timeout=timeout_s).topics
    except KafkaException as error:
        raise BrokerUnavailable(f"Kafka does not answer: {error.args[0].str()}", "start it, or check it with ./tower doctor") from error
    wanted = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions or event_partitions,
            replication_factor=replication_factor,
            config={
                "cleanup.policy": topic.cleanup_policy,
                "retention.ms": str(topic.retention_ms),
                "retention.bytes": str(retention_bytes if "delete" in topic.cleanup_policy else -1),
                "message.timestamp.type": "LogAppendTime",
                **_PARTICULAR.get(topic.name, {}),
            },
        )
        for topic in TOPICS
        if topic.name not in present
    ]
    created: list[str] = []
    if not wanted:
        return created
    for name, future in admin.create_topics(wanted, operation_timeout=timeout_s, request_timeout=timeout_s).items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerUnavailable(
                    f"topic {name} could not be created: {error.args[0].str()}", "check the broker and its permissions with ./tower doctor"
                ) from error
    return created
