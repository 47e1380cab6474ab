"""How soon a produced event is in the metrics that readers get, under load; and how soon after a start.

    python -m benchmarks.latency [--rate 20000] [--for 20]

Runs an embedded Kafka, `tower pipeline` and `tower loadgen flood` at the asked rate. Meanwhile it produces single events of a model of
its own, and follows `tower.metrics`: an event has arrived with the first message of a window of ten seconds that counts it. Then the
pipeline is stopped and started again, with all those events behind it, and the time to the first event's arrival is measured. Times are
wall-clock milliseconds from the acknowledgement of the event (or the start of the process) to the receipt of the message.

Ends with exit code 1 when p50 >= 400 ms, p99 >= 1000 ms, or the start takes 3 s or more.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.home import PATIENCE_S, Home, stop
from control.broker import EmbeddedBroker
from schemas.kafka import KafkaSettings, admin_config, consumer_config, producer_config
from schemas.topics import METRICS, PREDICTIONS, ensure_topics

PROBE = "probe"
EVERY_S = 0.1
PARTITIONS = 4
GOALS = {"p50": 400.0, "p99": 1_000.0, "start": 3_000.0}


class Probe:
    """Sends numbered events of one model, and notes when a message on `tower.metrics` counts them."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._producer = Producer(producer_config(kafka) | {"linger.ms": 0})
        self._consumer = Consumer(consumer_config(kafka, "latency") | {"enable.partition.eof": False})
        self._consumer.assign([TopicPartition(METRICS, 0, 0)])
        self._counted: dict[int, int] = {}
        self.sent: list[float] = []
        self.arrived: list[float] = []

    def send(self) -> None:
        """Send one event, and wait for its acknowledgement."""
        number, now = len(self.sent), time.time_ns() // 1_000_000
        event = {"prediction_id": f"{PROBE}-{number}", "model": PROBE, "model_version": "v1", "created_at": now, "prediction": 1}
        self._producer.produce(PREDICTIONS, orjson.dumps(event), event["prediction_id"])
        self._producer.flush(PATIENCE_S)
        self.sent.append(time.monotonic())

    def listen(self, seconds: float) -> None:
        """Take in what comes on the metrics topic for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for message in self._consumer.consume(5_000, min(left, 0.02)):
                now, value = time.monotonic(), message.value()
                if message.error() is None and isinstance(value, bytes) and f'"model":"{PROBE}"'.encode() in value:
                    self._count(now, value)

    def _count(self, now: float, value: bytes) -> None:
        found = orjson.loads(value)
        if (found["window"], found["model_version"], found["segment"]) == ("10s", "*", "*"):
            of_window = sum(int(row["value"]) for row in found["rows"] if row["metric"] == "prediction_volume")
            self._counted[found["window_start"]] = of_window
            self.arrived += [now] * (sum(self._counted.values()) - len(self.arrived))

    def listen_until_all_have_arrived(self) -> None:
        """Take in messages until each event is counted. Raises TimeoutError after a minute."""
        until = time.monotonic() + PATIENCE_S
        while len(self.arrived) < len(self.sent):
            if time.monotonic() > until:
                raise TimeoutError(f"{len(self.sent) - len(self.arrived)} events have not arrived within {PATIENCE_S:g} s")
            self.listen(0.05)

    def delays_ms(self, first: int = 0) -> list[float]:
        """Return how long each event from number `first` on took."""
        return [1000 * (there - sent) for sent, there in zip(self.sent[first:], self.arrived[first:], strict=True)]


def under_load(probe: Probe, home: Home, rate: float, duration_s: float) -> list[float]:
    """Return the delays of single events while a flood runs, without its first two seconds."""
    load = home.start("loadgen", "flood", f"--rate={rate}", f"--for={duration_s}")
    probe.listen(3.0)
    first = len(probe.sent)
    while load.poll() is None:
        probe.send()
        probe.listen(EVERY_S)
    if load.returncode:
        raise RuntimeError(f"the load generator ended with {load.returncode}")
    probe.listen_until_all_have_arrived()
    return probe.delays_ms(first)


def main(arguments: list[str]) -> int:
    """Measure, print, and say by the exit code whether the goals were met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency")
    parser.add_argument("--rate", type=float, default=20_000, metavar="EVENTS_PER_S")
    parser.add_argument("--for", type=float, default=20, metavar="SECONDS", dest="duration_s")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, EmbeddedBroker(Path(folder) / "kafka", report=print) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, event_partitions=PARTITIONS)
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=PARTITIONS)
        home = Home(Path(folder) / "home", kafka)
        probe = Probe(kafka)
        pipeline = home.start("pipeline")
        try:
            probe.send()
            probe.listen_until_all_have_arrived()
            delays = under_load(probe, home, options.rate, options.duration_s)
            stop(pipeline)
            probe.send()
            begun = time.monotonic()
            pipeline = home.start("pipeline")
            probe.listen_until_all_have_arrived()
            restart_ms = 1000 * (probe.arrived[-1] - begun)
        finally:
            stop(pipeline)
    p50, p90, p99 = np.percentile(delays, [50, 90, 99]).tolist()
    print(f"{len(delays)} events at {options.rate:,.0f} events/s: p50 {p50:.0f}, p90 {p90:.0f}, p99 {p99:.0f}, max {max(delays):.0f} ms")
    print(
        f"start of the process to the first event's arrival, {options.rate * options.duration_s:,.0f} events behind it: {restart_ms:.0f} ms"
    )
    found = {"p50": p50, "p99": p99, "start": restart_ms}
    missed = [f"{name} {found[name]:.0f} ms, wanted below {goal:.0f}" for name, goal in GOALS.items() if found[name] >= goal]
    print("All goals are met." if not missed else "Missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
