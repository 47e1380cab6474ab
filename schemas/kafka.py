"""How each part connects to Kafka: settings, and client configurations with the traps already closed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Where Kafka is. `options` go to librdkafka as they are (security.protocol, sasl.*, ssl.*)."""

    bootstrap_servers: str = ""
    event_partitions: int = 4
    replication_factor: int = 1
    options: dict[str, str] = field(default_factory=dict)

    def embedded(self, bootstrap_servers: str = "") -> KafkaSettings:
        """Return the settings for the embedded Kafka, at an address once it has one: options are those of another Kafka."""
        return replace(self, bootstrap_servers=bootstrap_servers, options={})


ClientConfig = dict[str, str | int | float | bool]


def admin_config(kafka: KafkaSettings) -> ClientConfig:
    """Return the configuration of an admin client."""
    return {"bootstrap.servers": kafka.bootstrap_servers, "client.id": "tower", "log_level": 2, **kafka.options}


def consumer_config(kafka: KafkaSettings, group: str) -> ClientConfig:
    """Return the configuration of a consumer that keeps its own offsets.

    An offset that is out of range is an error, not a silent jump to the end, and an emptied queue is
    refilled after 10 ms; librdkafka's defaults are the jump, and a whole second.
    """
    return {
        **admin_config(kafka),
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "fetch.queue.backoff.ms": 10,
        "fetch.wait.max.ms": 50,
        "queued.max.messages.kbytes": 2_048,
    }


def producer_config(kafka: KafkaSettings) -> ClientConfig:
    """Return the configuration of a producer that does not reorder or repeat what it sends."""
    return {**admin_config(kafka), "enable.idempotence": True, "linger.ms": 5, "compression.type": "lz4", "message.max.bytes": 4_000_000}
