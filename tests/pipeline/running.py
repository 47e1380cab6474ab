"""The pipeline as a user runs it, events as services send them, and metrics as readers see them."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.kafka import KafkaSettings, consumer_config, producer_config
from schemas.topics import METRICS, OUTCOMES, PREDICTIONS
from tests.pipeline.events import outcome, prediction
from tests.waiting import slowness

ROOT = Path(__file__).resolve().parents[2]
LEAVES_WITHIN_S = 5.0
DEADLINE_S = 60.0


def now_ms() -> int:
    """Return the time of the wall clock."""
    return time.time_ns() // 1_000_000


def environment(home: Path, kafka: KafkaSettings, toml: str = "") -> dict[str, str]:
    """Return the environment of a command: this home, this Kafka, and this configuration alone."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "tower.toml"
    file.write_text(toml)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("TOWER_")},
        "TOWER_HOME": str(home),
        "TOWER_CONFIG": str(file),
        "TOWER_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
    }


class Pipeline:
    """`tower pipeline` in a session of its own. Use it in a `with` statement: no process of it outlives the test."""

    def __init__(self, home: Path, kafka: KafkaSettings, *flags: str, toml: str = "") -> None:
        self.log = home / "pipeline-output.txt"
        settings = environment(home, kafka, toml)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "control", "pipeline", *flags],
                cwd=ROOT,
                env=settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._family: list[psutil.Process] = []

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def members(self) -> list[psutil.Process]:
        """Return the processes of a cluster below this one, and not Python's own that track resources."""
        try:
            children = psutil.Process(self.process.pid).children()
            found = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        except psutil.NoSuchProcess:
            return []
        self._family += [child for child in found if child not in self._family]
        return found

    def kill(self) -> None:
        """End all of it at once, as a power cut would."""
        self.members()
        for one in self._family:
            if one.is_running():
                one.kill()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_S)
        psutil.wait_procs(self._family, DEADLINE_S)

    def leaves(self, number: signal.Signals, within_s: float = LEAVES_WITHIN_S) -> int:
        """Send a signal; return the exit code, and fail when it has not left in time."""
        self.members()
        start = time.monotonic()
        self.process.send_signal(number)
        try:
            code = self.process.wait(within_s * slowness())
        except subprocess.TimeoutExpired:
            pytest.fail(f"still there {within_s} s after {number.name}:\n{self.output()}")
        print(f"left {time.monotonic() - start:.2f} s after {number.name}")
        assert psutil.wait_procs(self._family, 1)[1] == [], "members are left"
        return code

    def ends(self, within_s: float = DEADLINE_S) -> int:
        """Wait for its end; return the exit code."""
        try:
            return self.process.wait(within_s * slowness())
        except subprocess.TimeoutExpired:
            pytest.fail(f"still there after {within_s} s:\n{self.output()}")

    def output(self) -> str:
        """Return what it wrote."""
        return self.log.read_text(errors="replace")


def caught_up(home: Path, kafka: KafkaSettings, *flags: str, toml: str = "") -> None:
    """Run a pipeline until it has caught up."""
    with Pipeline(home, kafka, "--until-caught-up", *flags, toml=toml) as pipeline:
        code = pipeline.ends()
        assert code == 0, pipeline.output()


def until(condition: Callable[[], bool], what: Callable[[], str], within_s: float = DEADLINE_S) -> None:
    """Wait for a condition; fail with `what` when it does not come."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end + within_s * (slowness() - 1):
            pytest.fail(f"not within {within_s:g} s: {what()}")
        time.sleep(0.02)


class Services:
    """What sends events. Predictions and outcomes spread over the partitions as librdkafka likes."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._producer = Producer(producer_config(kafka) | {"queue.buffering.max.messages": 1_000_000, "linger.ms": 0})

    def serve(self, *events: dict[str, Any]) -> None:
        """Send predictions (fields of `events.prediction`) and wait until Kafka has them."""
        self._send(PREDICTIONS, [prediction(**event) for event in events])

    def know(self, *events: dict[str, Any]) -> None:
        """Send outcomes (fields of `events.outcome`) and wait until Kafka has them."""
        self._send(OUTCOMES, [outcome(**event) for event in events])

    def flood(self, count: int, at: int, first: int = 0) -> None:
        """Send many predictions at once, all of one minute."""
        for number in range(first, first + count):
            value = b'{"prediction_id":"f%d","model":"churn","model_version":"v1","created_at":%d,"prediction":1}' % (
                number,
                at + number % 60_000,
            )
            self._producer.produce(PREDICTIONS, value)
            if number % 10_000 == 0:
                self._producer.poll(0)
        assert self._producer.flush(DEADLINE_S) == 0

    def _send(self, topic: str, events: Sequence[dict[str, Any]]) -> None:
        for event in events:
            self._producer.produce(topic, orjson.dumps(event), event["prediction_id"])
        assert self._producer.flush(DEADLINE_S) == 0


def place(kafka: KafkaSettings, topic: str, partition: int, event: dict[str, Any]) -> None:
    """Send one event to a partition, which may have been made a moment ago, and wait until Kafka has it."""
    producer = Producer(producer_config(kafka) | {"topic.metadata.refresh.interval.ms": 100})
    until(lambda: partition in producer.list_topics(topic, timeout=DEADLINE_S).topics[topic].partitions, lambda: "the partition is known")
    producer.produce(topic, orjson.dumps(event), event["prediction_id"], partition)
    assert producer.flush(DEADLINE_S) == 0


class Readers:
    """Follows `tower.metrics` from its beginning, and keeps the newest message of each key."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._consumer = Consumer(consumer_config(kafka, "readers") | {"auto.offset.reset": "earliest", "enable.partition.eof": False})
        self._consumer.assign([TopicPartition(METRICS, 0, 0)])
        self.newest: dict[bytes, dict[str, Any]] = {}
        self.arrivals: list[tuple[int, dict[str, Any]]] = []

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._consumer.close()

    def poll(self, timeout_s: float = 0.0) -> None:
        """Take in what has come."""
        for message in self._consumer.consume(1000, timeout_s):
            value, key = message.value(), message.key()
            if message.error() is None and isinstance(value, bytes) and isinstance(key, bytes):
                found = orjson.loads(value)
                self.newest[key] = found
                self.arrivals.append((now_ms(), found))

    def value(
        self, metric: str, window: str = "1d", *, segment: str = "*", version: str = "*", model: str = "churn", dimension: str = ""
    ) -> float | None:
        """Return the sum of a metric over all windows of that length, as it was told last; None when there is none."""
        self.poll()
        values = [
            row["value"]
            for message in self.newest.values()
            if (message["model"], message["model_version"], message["segment"], message["window"]) == (model, version, segment, window)
            for row in message["rows"]
            if (row["metric"], row["dimension"]) == (metric, dimension)
        ]
        return sum(values) if values else None

    def wait_for(self, metric: str, value: float, window: str = "1d", within_s: float = DEADLINE_S, **scope: str) -> None:
        """Wait until a metric has a value."""
        until(
            lambda: self.value(metric, window, **scope) == value,
            lambda: f"{metric} is {value} (it is {self.value(metric, window, **scope)})",
            within_s,
        )


def query(home: Path, kafka: KafkaSettings, sql: str) -> list[dict[str, str]]:
    """Return what `tower query` does."""
    done = subprocess.run(
        [sys.executable, "-m", "control", "query", sql, "--format", "csv"],
        cwd=ROOT,
        env=environment(home, kafka),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def volume(home: Path, kafka: KafkaSettings, window: str = "1d") -> float:
    """Return the number of predictions that the lake knows of."""
    sql = f"""SELECT coalesce(sum(value), 0) AS total FROM metrics
              WHERE metric = 'prediction_volume' AND "window" = '{window}' AND model_version = '*' AND segment = '*'"""
    return float(query(home, kafka, sql)[0]["total"])
