"""The simple job in idiomatic Bytewax: its Kafka source, an event-time clock, a fold over tumbling windows.

Run by the benchmark as `python -m benchmarks.throughput.programs bytewax_windows BOOTSTRAP ordered|unordered PROCESSES`.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
from bytewax.connectors.kafka import KafkaError, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, cluster_main, run_main

from benchmarks.throughput.job import PATIENCE_MS, TOPIC, WINDOW_MS, Stopwatch, WindowRow, nearest_rank_p99, nulls_of, report

Message = KafkaSourceMessage[bytes | None, bytes | None] | KafkaError[bytes | None, bytes | None]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Timed:
    """What the windows need of an event: its time, its latency in ms, its null and all feature values."""

    at: datetime
    latency: float
    nulls: int
    values: int


@dataclass(slots=True)
class Window:
    """What is kept of a window."""

    latencies: list[float] = field(default_factory=list)
    nulls: int = 0
    values: int = 0

    def add(self, event: Timed) -> Window:
        """Add an event."""
        self.latencies.append(event.latency)
        self.nulls += event.nulls
        self.values += event.values
        return self

    def merge(self, other: Window) -> Window:
        """Add another window."""
        return Window(self.latencies + other.latencies, self.nulls + other.nulls, self.values + other.values)


def decode(message: Message) -> tuple[str, Timed]:
    """Return a prediction's key, and what the windows need; what is no message fails here."""
    event = orjson.loads(message.value)  # type: ignore[union-attr, arg-type]
    at = datetime.fromtimestamp(event["created_at"] / 1000, UTC)
    return event["model"], Timed(at, event["response_time_ms"], *nulls_of(event["features"]))


def measure(item: tuple[str, tuple[int, Window]]) -> WindowRow:
    """Return the results of one closed window, whose id is its number since the epoch."""
    model, (number, window) = item
    return model, number * WINDOW_MS, len(window.latencies), nearest_rank_p99(window.latencies), 100 * window.nulls / window.values


def build(bootstrap: str, ordered: bool, results: list[WindowRow], late: list[object]) -> Dataflow:
    """Return the dataflow, which ends at the end of the topic."""
    flow = Dataflow("simple_job")
    source = KafkaSource([bootstrap], [TOPIC], tail=False, batch_size=1000)
    windows = win.fold_window(
        "ten_seconds",
        op.map("decode", op.input("kafka", flow, source), decode),
        win.EventClock(lambda event: event.at, timedelta(milliseconds=PATIENCE_MS)),
        win.TumblingWindower(timedelta(milliseconds=WINDOW_MS), EPOCH),
        Window,
        Window.add,
        Window.merge,
        ordered=ordered,
    )
    op.output("results", op.map("measure", windows.down, measure), TestingSink(results))
    op.output("late", windows.late, TestingSink(late))
    return flow


def run_alone(bootstrap: str, ordered: bool, addresses: list[str], number: int) -> None:
    """Run in this process, alone or as member `number` of a cluster, and report what was done here."""
    results: list[WindowRow] = []
    late: list[object] = []
    flow = build(bootstrap, ordered, results, late)
    watch = Stopwatch()
    if addresses:
        cluster_main(flow, addresses, number)  # type: ignore[no-untyped-call]
    else:
        run_main(flow)  # type: ignore[no-untyped-call]
    report(sum(row[2] for row in results) + len(late), *watch.read(), results, late=len(late))


def run_cluster(bootstrap: str, order: str, processes: int) -> None:
    """Run a cluster of processes, and report what they did together."""
    addresses = ",".join(f"127.0.0.1:{port}" for port in free_ports(processes))
    command = [sys.executable, "-m", __package__, __name__.rpartition(".")[2], bootstrap, order, _MEMBER, addresses]
    members = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE) for number in range(processes)]
    # Above the report is what Bytewax says while they look for each other.
    found = [json.loads(member.communicate()[0].splitlines()[-1]) for member in members]
    report(
        sum(part["events"] for part in found),
        max(part["seconds"] for part in found),
        sum(part["processor_seconds"] for part in found),
        [row for part in found for row in part["windows"]],
        late=sum(part["late"] for part in found),
    )


def free_ports(count: int) -> list[int]:
    """Return so many ports that are free now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def main(bootstrap: str, order: str, processes: str, addresses: str = "", number: str = "0") -> None:
    """Run as one process, as a cluster, or as one of its members."""
    if processes not in ("1", _MEMBER):
        run_cluster(bootstrap, order, int(processes))
    else:
        run_alone(bootstrap, order == "ordered", addresses.split(",") if addresses else [], int(number))
