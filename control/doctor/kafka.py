"""The broker and the topics as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from control.broker.files import BrokerFiles, read_state
from control.broker.jars import checked_jars, jar_folder, read_lock
from control.doctor.findings import Finding
from control.filelock import is_locked
from control.kafka_access import admin_client
from schemas.errors import TowerError
from schemas.kafka import KafkaSettings
from schemas.topics import DEAD_LETTERS, OUTCOMES, PREDICTIONS, TOPICS

_TIMEOUT_S = 8.0


@dataclass(frozen=True, slots=True)
class KafkaFindings:
    """The findings, and when the broker appended its newest event (epoch ms), if that is known."""

    findings: list[Finding]
    newest_ms: int | None


def check_jars(cache: Path) -> Finding:
    """The embedded Kafka's jars are those of the lock, or not there yet."""
    lock = read_lock()
    folder = jar_folder(cache, lock)
    if not folder.exists():
        return Finding("kafka jars", True, f"Kafka {lock.version} is downloaded when it is first needed")
    try:
        jars = checked_jars(cache, lock)
    except TowerError as error:
        return Finding("kafka jars", False, error.what, error.mend)
    return Finding("kafka jars", True, f"Kafka {lock.version}, {len(jars)} jars as locked")


def check_embedded(home: Path) -> tuple[Finding, str]:
    """Return whether the embedded Kafka is well, and its bootstrap address when it runs."""
    files = BrokerFiles(home)
    state = read_state(files.state)
    if not files.keeper.exists() or not is_locked(files.keeper):
        if state is not None and state.status == "failed":
            return Finding("broker", False, f"the embedded Kafka failed: {state.error}", f"see {files.logs / 'kafka.log'}"), ""
        return Finding("broker", True, "the embedded Kafka is not running; the command that needs it starts it"), ""
    if state is None or state.status != "listening":
        return Finding("broker", False, f"the embedded Kafka is {state.status if state else 'starting'}", "look again in some seconds"), ""
    address = f"127.0.0.1:{state.port}"
    restarts = f", restarted {state.restarts} times since" if state.restarts else ""
    return Finding("broker", True, f"the embedded Kafka runs on {address}{restarts}"), address


def check_topics(kafka: KafkaSettings) -> KafkaFindings:
    """Kafka answers, has our topics, and with settings that keep what they must keep."""
    admin = admin_client(kafka)
    try:
        metadata = admin.list_topics(timeout=_TIMEOUT_S)
    except KafkaException as error:
        mend = "start it, or correct kafka.bootstrap_servers and kafka.options"
        return KafkaFindings([Finding("broker", False, f"{kafka.bootstrap_servers} does not answer: {error.args[0].str()}", mend)], None)
    findings = [Finding("broker", True, f"{kafka.bootstrap_servers} answers, {len(metadata.brokers)} node(s)")]
    missing = [topic.name for topic in TOPICS if topic.name not in metadata.topics]
    if missing:
        return KafkaFindings(
            [*findings, Finding("topics", False, f"missing: {', '.join(missing)}", "start ./tower pipeline once, it makes them")], None
        )
    wrong = _wrong_policies(admin)
    seen = "; ".join(wrong) or ", ".join(f"{topic.name} ({len(metadata.topics[topic.name].partitions)})" for topic in TOPICS)
    mend = "set cleanup.policy with kafka-configs, or delete the topic and let ./tower pipeline make it"
    findings.append(Finding("topics", not wrong, seen, mend))
    partitions = [(name, one) for name in (PREDICTIONS, OUTCOMES, DEAD_LETTERS) for one in metadata.topics[name].partitions]
    return KafkaFindings(findings, _newest(admin, partitions))


def _wrong_policies(admin: AdminClient) -> list[str]:
    """Return which topics drop or keep what they should not: a compacted topic of events loses events."""
    wanted = {topic.name: set(topic.cleanup_policy.split(",")) for topic in TOPICS}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in wanted]
    wrong = []
    for resource, future in admin.describe_configs(resources, request_timeout=_TIMEOUT_S).items():
        policy = future.result()["cleanup.policy"].value
        if set(policy.split(",")) != wanted[resource.name]:
            wrong.append(f"{resource.name} has cleanup.policy {policy}, expected {','.join(sorted(wanted[resource.name]))}")
    return wrong


def _newest(admin: AdminClient, partitions: list[tuple[str, int]]) -> int | None:
    """Return the newest append time over the partitions in epoch ms, or None when all are empty."""
    newest = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(name, partition): newest for name, partition in partitions}
    latest = -1
    for future in admin.list_offsets(wanted, request_timeout=_TIMEOUT_S).values():
        # A partition whose leader is moving has no time for us; the others have.
        if future.exception() is None:
            latest = max(latest, future.result().timestamp)
    return latest if latest > 0 else None
