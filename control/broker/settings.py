"""How much the embedded Kafka may use, and the text of its `server.properties`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Bounds of the embedded Kafka.

    `memory_mb`: heap of the JVM; `retention_mb`: disk of one partition of the event topics, the oldest events go first.
    """

    memory_mb: int = 512
    retention_mb: int = 1024
    segment_mb: int = 64
    start_timeout_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Ports:
    """The two ports of a node, both on 127.0.0.1: for clients, and for its own controller."""

    clients: int
    controller: int


def server_properties(settings: BrokerSettings, ports: Ports) -> str:
    """Return the configuration of a single KRaft node that binds to 127.0.0.1 alone.

    `log.dirs` is relative to the JVM's working folder: Kafka splits the value at commas, which a home's path may contain.
    """
    properties: dict[str, str | int] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": f"PLAINTEXT://127.0.0.1:{ports.clients},CONTROLLER://127.0.0.1:{ports.controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{ports.clients}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
        "log.dirs": "data",
        # Topics are made with their settings by ours alone; a misspelt name must not become a topic.
        "auto.create.topics.enable": "false",
        "num.partitions": 1,
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 2,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        # A group of one consumer need not wait three seconds for others to come.
        "group.initial.rebalance.delay.ms": 0,
        # Replayed events are old by their own time: with CreateTime the retention would drop them at once.
        "log.message.timestamp.type": "LogAppendTime",
        "log.segment.bytes": settings.segment_mb * 1024 * 1024,
        "log.retention.bytes": settings.retention_mb * 1024 * 1024,
        "log.retention.check.interval.ms": 30_000,
        "log.segment.delete.delay.ms": 5_000,
        "log.cleaner.threads": 1,
        # 128 MB by default, out of the heap.
        "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
        "log.cleaner.min.cleanable.ratio": "0.3",
        "message.max.bytes": 4_000_000,
        "replica.fetch.max.bytes": 4_000_000,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 2,
        # After a kill -9 the controller lets the new broker in only when the old one's session has ended: 9 s by default.
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())
