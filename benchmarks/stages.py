"""Where each microsecond of an event goes: `python -m benchmarks.stages [--events 1500000]`.

Runs `tower pipeline --until-caught-up` in this process, reading in a thread of it, on the events of `benchmarks.throughput`, and adds up
the CPU time of its threads by stage: what a stage calls of another stage counts there. What no stage covers are Bytewax, the background
threads of librdkafka, RocksDB and DuckDB, and Python's own work. A first run with nothing to do is taken off; the limit, consume + loads,
is measured beside it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

import pipeline.publish.publisher
import pipeline.reading.process
import pipeline.reading.source
import pipeline.shard.shard
from benchmarks.throughput.events import Written, write_events
from control.broker import EmbeddedBroker
from control.cli import main as tower
from pipeline.decode import Decoder
from pipeline.intake import EventReader
from pipeline.publish.database import MetricsDatabase
from pipeline.publish.publisher import Publisher
from pipeline.publish.topic import AcknowledgedProducer
from pipeline.reading.partition import PartitionReader
from pipeline.reading.pipe import Inlet
from pipeline.reading.source import ReadingProcess
from pipeline.shard.seen import SeenIds
from pipeline.shard.shard import Shard
from pipeline.store import Batch, Store
from schemas.kafka import KafkaSettings, admin_config, consumer_config
from schemas.topics import OUTCOMES, PREDICTIONS, ensure_topics

_SHARD, _PUBLISHER = pipeline.shard.shard, pipeline.publish.publisher
STAGES: Sequence[tuple[str, Sequence[tuple[Any, str]]]] = (
    ("consume", [(PartitionReader, "next_batch")]),
    ("hand over", [(pipeline.reading.process, "packed"), (ReadingProcess, "read")]),
    ("decode", [(Decoder, "decode")]),
    ("columns", [(EventReader, "read")]),
    ("route", [(pipeline.reading.process, "slices"), (Shard, "take")]),
    ("join", [(_SHARD, name) for name in ("distinct_ids", "join", "unpack")] + [(SeenIds, "may_hold"), (SeenIds, "add")]),
    ("reduce", [(_SHARD, name) for name in ("prediction_deltas", "outcome_deltas", "late_cells", "expand", "merge")]),
    ("commit", [(Shard, "commit"), (Batch, "put_all")]),
    ("store: read", [(Store, "get_all")]),
    ("store: write", [(Store, "write")]),
    ("publish: take", [(Publisher, "take")]),
    ("publish: metrics", [(Publisher, "flush"), (Publisher, "close")]),
    ("publish: topic", [(AcknowledgedProducer, "send"), (_PUBLISHER, "messages")]),
    ("publish: DuckDB", [(MetricsDatabase, "_upsert"), (_PUBLISHER, "arrow_table")]),
)


class Clock:
    """Adds up CPU time by stage, without what the stages within took."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._within = threading.local()

    def measure(self, owner: Any, name: str, stage: str) -> None:
        """Have each call of a function counted for a stage."""
        function: Callable[..., Any] = getattr(owner, name)

        def measured(*arguments: Any, **named: Any) -> Any:
            stack: list[float] = self._within.__dict__.setdefault("stack", [])
            stack.append(0.0)
            began = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                took = time.thread_time() - began
                own = took - stack.pop()
                if stack:
                    stack[-1] += took
                with self._lock:
                    self.spent[stage] += own

        setattr(owner, name, measured)


class ReadingThread(ReadingProcess):
    """Reads in a thread of this process, whose time is seen stage by stage."""

    def _start(self) -> None:
        ours, theirs = Pipe(duplex=False)
        self._inlet = Inlet(ours)
        self._thread = Thread(target=self._run, args=(theirs,))
        self._thread.start()

    def _run(self, connection: Connection) -> None:
        process = pipeline.reading.process
        process.read_partitions(self._job, lambda read: process.send(connection, process.packed(read)))
        process.send(connection, process.packed(None))

    def close(self) -> None:
        """Wait for its end."""
        self._inlet.close()
        self._thread.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--events", type=int, default=1_500_000, help="predictions to write; outcomes come on top (default 1500000)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tower-stages-") as folder, EmbeddedBroker(Path(folder) / "kafka", report=_say) as kafka:
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=kafka.event_partitions)
        os.environ |= {"TOWER_HOME": str(Path(folder) / "idle"), "TOWER_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
        idle = _processor_seconds(_run)
        written = write_events(kafka, options.events, int(time.time() * 1000), 1, Path(folder) / "copy")
        consume = _processor_seconds(lambda: _consume(kafka, written, lambda value: None))
        loads = _processor_seconds(lambda: _consume(kafka, written, orjson.loads))
        pipeline.reading.source.ReadingProcess = ReadingThread  # type: ignore[misc]
        clock = Clock()
        for stage, functions in STAGES:
            for owner, name in functions:
                clock.measure(owner, name, stage)
        os.environ["TOWER_HOME"] = str(Path(folder) / "home")
        whole = _processor_seconds(_run) - idle
    _print(clock.spent, whole, {"consume": consume, "consume + loads": loads}, written.predictions + written.outcomes)
    return 0


def _run() -> None:
    if tower(["pipeline", "--until-caught-up"], os.environ) != 0:
        sys.exit("the pipeline failed")


def _consume(kafka: KafkaSettings, written: Written, look: Callable[[bytes], object]) -> None:
    consumer = Consumer(consumer_config(kafka, "stages"))
    consumer.assign([TopicPartition(topic, part, 0) for topic in (PREDICTIONS, OUTCOMES) for part in range(kafka.event_partitions)])
    left = written.predictions + written.outcomes
    while left:
        for message in consumer.consume(10_000, 1.0):
            value = message.value()
            if message.error() is None and value is not None:
                look(value)
                left -= 1
    consumer.close()


def _processor_seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _print(spent: Counter[str], whole: float, limits: dict[str, float], records: int) -> None:
    print(f"\n{records:,} records\n\n| stage | us of CPU a record | of all |\n|---|---:|---:|")
    rows = {stage: spent[stage] for stage, _ in STAGES}
    for stage, seconds in (rows | {"background threads, Bytewax, Python": whole - sum(rows.values()), "all": whole}).items():
        print(f"| {stage} | {seconds / records * 1e6:.2f} | {seconds / whole:.0%} |")
    for limit, seconds in limits.items():
        print(f"| the limit: {limit} | {seconds / records * 1e6:.2f} | {seconds / whole:.0%} |")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
