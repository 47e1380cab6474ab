"""Candidate 2: idiomatic Bytewax: its built-in Kafka source, tumbling event-time windows of a minute, p99 for each model and version.

It neither joins labels nor removes duplicates. Run by the benchmark as
`python -m benchmarks.throughput.bytewax_windows BOOTSTRAP PREDICTIONS ordered|unordered`.
"""

from __future__ import annotations

import json
import math
import sys
import time
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
from bytewax.connectors.kafka import KafkaError, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, run_main

from schemas.topics import PREDICTIONS

Timed = tuple[datetime, float]
"""Event time and response time, all that the windows need of an event."""
Message = KafkaSourceMessage[bytes | None, bytes | None] | KafkaError[bytes | None, bytes | None]
Measured = tuple[str, int, float]
"""Key, predictions in the window, p99."""
WAIT = timedelta(minutes=5)
"""How far the partitions may be apart in event time; what comes later is dropped by Bytewax, and counted here."""


def decode(message: Message) -> tuple[str, Timed]:
    """Return a prediction's key, and its times; what is no message fails here."""
    event = orjson.loads(message.value)  # type: ignore[union-attr, arg-type]
    return f"{event['model']}/{event['model_version']}", (
        datetime.fromtimestamp(event["created_at"] / 1000, UTC),
        event["response_time_ms"],
    )


def time_of(item: Timed) -> datetime:
    """Return the event time, which Bytewax wants with a zone."""
    return item[0]


def add(latencies: list[float], item: Timed) -> list[float]:
    """Add an event to its window."""
    latencies.append(item[1])
    return latencies


def measure(item: tuple[str, tuple[int, list[float]]]) -> Measured:
    """Return the key, count and p99 of one closed window."""
    key, (_, latencies) = item
    latencies.sort()
    return key, len(latencies), latencies[math.ceil(0.99 * len(latencies)) - 1]


def build(bootstrap: str, ordered: bool, results: list[Measured], late: list[object]) -> Dataflow:
    """Return the dataflow, which ends at the end of the topic."""
    flow = Dataflow("p99_per_minute")
    source = KafkaSource([bootstrap], [PREDICTIONS], tail=False, batch_size=1000)
    windows = win.fold_window(
        "minute",
        op.map("decode", op.input("kafka", flow, source), decode),
        win.EventClock(time_of, WAIT),
        win.TumblingWindower(timedelta(minutes=1), datetime(2026, 1, 1, tzinfo=UTC)),
        list,
        add,
        list.__add__,
        ordered=ordered,
    )
    op.output("results", op.map("p99", windows.down, measure), TestingSink(results))
    op.output("late", windows.late, TestingSink(late))
    return flow


def main(bootstrap: str, predictions: int, order: str) -> int:
    """Print the measurement as JSON; return 1 when predictions are missing from the windows and from the late ones."""
    results: list[Measured] = []
    late: list[object] = []
    flow = build(bootstrap, order == "ordered", results, late)
    start = time.perf_counter()
    run_main(flow)  # type: ignore[no-untyped-call]
    seconds = time.perf_counter() - start
    counted = sum(count for _, count, _ in results)
    print(json.dumps({"events": counted, "late": len(late), "windows": len(results), "seconds": seconds}))
    return 0 if counted + len(late) == predictions else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
