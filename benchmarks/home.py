"""A home of a benchmark: our commands run on it as an operator runs them, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.throughput.process import end_with_parent
from control.broker import EmbeddedBroker
from control.broker.settings import BrokerSettings
from schemas.kafka import KafkaSettings, admin_config, consumer_config
from schemas.topics import OUTCOMES, PREDICTIONS, ensure_topics

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60.0
_START_TIMEOUT_MS = 600_000
"""Kafka needs two seconds, but on a machine that others use it may be minutes, and a benchmark has time."""


@dataclass(frozen=True, slots=True)
class Home:
    """A folder, its Kafka, and what is configured (`{"retention.10s": "2h"}`)."""

    folder: Path
    kafka: KafkaSettings
    settings: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment of commands on this home."""
        own = {f"TOWER_{name.replace('.', '__').upper()}": value for name, value in self.settings.items()}
        return {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "PYTHONPATH": str(ROOT),
            "TOWER_HOME": str(self.folder),
            "TOWER_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            **own,
        }

    def start(self, *command: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a command of ours, which ends with us; with `log`, what it prints goes into that file."""
        line = [sys.executable, "-P", "-m", "control", *command]
        with ExitStack() as stack:
            out = stack.enter_context(log.open("wb")) if log else None
            return subprocess.Popen(
                line, env=self.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=end_with_parent()
            )

    def events_held(self) -> int:
        """Return how many events its Kafka has taken in both topics, from the first on."""
        consumer = Consumer(consumer_config(self.kafka, "ends"))
        try:
            return sum(
                int(consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)[1])
                for topic in (PREDICTIONS, OUTCOMES)
                for partition in consumer.list_topics(topic, 30).topics[topic].partitions
            )
        finally:
            consumer.close()


@contextmanager
def home_with_kafka(folder: Path, settings: Mapping[str, str], *, retention_bytes: int) -> Iterator[Home]:
    """Give a fresh home with a Kafka and its topics of its own, both in `folder`; a partition of events keeps `retention_bytes`."""
    broker = BrokerSettings(start_timeout_ms=_START_TIMEOUT_MS)
    with EmbeddedBroker(folder / "kafka", broker, report=say) as kafka:
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=kafka.event_partitions, retention_bytes=retention_bytes)
        (folder / "home").mkdir()
        yield Home(folder / "home", kafka, settings)


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a command as an operator does."""
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_S)
