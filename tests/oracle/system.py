"""The system under test from the outside: its topics, its process, and the folder that it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from schemas.kafka import KafkaSettings, consumer_config, producer_config
from schemas.topics import METRICS
from tests.oracle.records import Record
from tests.waiting import slowness, wait_until

ROOT = Path(__file__).resolve().parents[2]
STANDSTILL_S = 60.0
"""A pipeline that catches up changes its files more often than that."""
ANSWER_DEADLINE_S = 30.0
READ_DEADLINE_S = 60.0
WRITE_DEADLINE_S = 180.0
"""For the next message that is acknowledged: Kafka may be held for a minute, killed, and on a busy machine be back half a minute later."""
SLICE = 50


class Log:
    """Writes records to their exact places in Kafka."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._producer = Producer(producer_config(kafka) | {"queue.buffering.max.messages": 1_000_000, "message.timeout.ms": 0})
        self._misplaced: list[str] = []

    def write(self, records: list[Record]) -> None:
        """Produce the records, and check that each came to lie at its offset."""
        for record in records:
            self._producer.produce(record.topic, record.value, record.key, record.partition, on_delivery=self._judge(record.offset))
            self._producer.poll(0)
        left, moved = len(records) + 1, time.monotonic()
        while still := self._producer.flush(1.0):
            if still < left:
                left, moved = still, time.monotonic()
            patience_s = WRITE_DEADLINE_S * slowness()
            assert time.monotonic() < moved + patience_s, f"Kafka has taken none of {still} messages for {patience_s:.0f} s"
        assert not self._misplaced, self._misplaced[:5]

    def _judge(self, offset: int) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None or message.offset() != offset:
                self._misplaced.append(f"{message.topic()}[{message.partition()}]@{message.offset()} should be {offset}: {error}")

        return delivered


class Feeding:
    """Records on their way into Kafka in the background, fifty at a time, ten times a second, as far as allowed.

    Use it in a `with` statement; at its end all that is left is written at once.
    """

    def __init__(self, log: Log, records: list[Record]) -> None:
        self._log = log
        self._slices = [records[first : first + SLICE] for first in range(0, len(records), SLICE)]
        self._allowed = threading.Semaphore(0)
        self._hurry = threading.Event()
        self._failure: AssertionError | None = None
        self._thread = threading.Thread(target=self._write)

    def allow(self, share: float) -> None:
        """Let so large a share of all records go on their way."""
        self._allowed.release(max(1, round(share * len(self._slices))))

    def _write(self) -> None:
        try:
            for records in self._slices:
                self._allowed.acquire()
                self._log.write(records)
                self._hurry.wait(0.1)
        except AssertionError as error:
            self._failure = error

    def __enter__(self) -> Feeding:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._hurry.set()
        self._allowed.release(len(self._slices))
        self._thread.join()
        if error is None and self._failure is not None:
            raise self._failure


def read_all(kafka: KafkaSettings, topic: str) -> list[Message]:
    """Return all messages that the topic holds now, in order of offset per partition."""
    consumer = Consumer(consumer_config(kafka, "oracle") | {"auto.offset.reset": "earliest"})
    try:
        partitions = consumer.list_topics(topic, timeout=ANSWER_DEADLINE_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        messages: list[Message] = []
        ended: set[int | None] = set()
        end = time.monotonic() + READ_DEADLINE_S
        while len(ended) < len(partitions):
            assert time.monotonic() < end, f"{topic} could not be read to its end within {READ_DEADLINE_S:g} s"
            for message in consumer.consume(10_000, 0.05):
                error = message.error()
                if error is None:
                    messages.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    pytest.fail(f"{topic}: {error}")
        return messages
    finally:
        consumer.close()


def end_offset(kafka: KafkaSettings, topic: str) -> int:
    """Return how many messages the one partition of a topic has ever held."""
    consumer = Consumer(consumer_config(kafka, "oracle"))
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), ANSWER_DEADLINE_S)[1])
    finally:
        consumer.close()


def newest_change(folder: Path) -> int:
    """Return when a file beneath the folder was changed last, in nanoseconds since the epoch; 0 while there is none."""
    newest = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            newest = max(newest, path.stat().st_mtime_ns)
    return newest


def last_metrics(kafka: KafkaSettings) -> dict[bytes, bytes]:
    """Return the last message of each key on `tower.metrics`; a tombstone removes its key."""
    last: dict[bytes, bytes] = {}
    for message in read_all(kafka, METRICS):
        key, value = message.key(), message.value()
        assert isinstance(key, bytes)
        if isinstance(value, bytes):
            last[key] = value
        else:
            last.pop(key, None)
    return last


class PipelineProcess:
    """`tower pipeline` as a process of its own, in a process group of its own. Use it in a `with` statement: it never outlives it.

    `module` is what is run in the place of the command line, `extra` what it finds in its environment besides. What it
    writes goes to `log`, by default a file in its home.
    """

    def __init__(
        self,
        home: Path,
        kafka: KafkaSettings,
        *flags: str,
        toml: str = "",
        module: str = "control",
        extra: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        file = home / "tower.toml"
        file.write_text(toml)
        self._home = home
        self._log = log or home / "pipeline-output.txt"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOWER_")}
        environment = {
            **inherited,
            "TOWER_HOME": str(home),
            "TOWER_CONFIG": str(file),
            "TOWER_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            **(extra or {}),
        }
        self._said_before = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, "pipeline", *flags],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def __enter__(self) -> PipelineProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL to all of its processes at once."""
        with suppress(ProcessLookupError):  # members of a cluster can be left when the process itself has gone
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(ANSWER_DEADLINE_S)

    def runs_for(self, seconds: float) -> bool:
        """Wait so long; return whether it still runs."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    @property
    def failed(self) -> bool:
        """Whether it has ended, and not with success."""
        return self._process.poll() not in (None, 0)

    def wait(self) -> None:
        """Wait until it ends by itself."""
        wait_until(
            lambda: self.exit_code is not None,
            lambda: f"the pipeline catches up:\n{self.output()}",
            STANDSTILL_S,
            moves=lambda: newest_change(self._home),
        )

    def finish(self) -> None:
        """Wait until it ends by itself, and fail with its output when that is not with success."""
        self.wait()
        assert self._process.returncode == 0, self.output()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """Return the end of what it wrote."""
        return self._log.read_bytes()[self._said_before :].decode(errors="replace")[-4000:]


def catch_up(home: Path, kafka: KafkaSettings, *flags: str, toml: str = "") -> None:
    """Run `tower pipeline --until-caught-up` to its end, with `toml` as its configuration file."""
    with PipelineProcess(home, kafka, "--until-caught-up", *flags, toml=toml) as process:
        process.finish()
