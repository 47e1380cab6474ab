"""How soon a reader sees an event at a low rate: as a rule within half a second."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from schemas.kafka import KafkaSettings
from tests.pipeline.running import Pipeline, Readers, Services, now_ms, until
from tests.waiting import slowness

Topics = Callable[[int], KafkaSettings]
EVENTS, EVERY_S = 60, 0.2


def test_an_event_is_on_the_metrics_topic_within_half_a_second(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(2)
    services = Services(kafka)
    with Pipeline(tmp_path, kafka) as pipeline, Readers(kafka) as readers:
        first = now_ms()
        services.serve({"prediction_id": "first", "created_at": first})
        readers.wait_for("prediction_volume", 1)
        readers.arrivals.clear()
        sent = []
        for number in range(EVENTS):
            services.serve({"prediction_id": f"p{number}", "created_at": now_ms()})
            sent.append(now_ms())
            end = time.monotonic() + EVERY_S
            while time.monotonic() < end:
                readers.poll(0.01)
        until(lambda: readers.value("prediction_volume") == EVENTS + 1, pipeline.output)
        # The n-th event has arrived with the first message that counts at least n of them.
        # Windows of ten seconds tell it: longer ones are published once a second.
        latest: dict[int, float] = {}
        counts = []
        for at, message in readers.arrivals:
            if (message["window"], message["model_version"], message["segment"]) == ("10s", "*", "*"):
                start = message["window_start"]
                counted = sum(row["value"] for row in message["rows"] if row["metric"] == "prediction_volume")
                latest[start] = counted - (start <= first < start + 10_000)
                counts.append((at, sum(latest.values())))
        delays = [next(at for at, count in counts if count >= number) - started for number, started in enumerate(sent, 1)]
        p50, p95, p99 = np.percentile(delays, [50, 95, 99])
        print(f"event on Kafka to metrics on Kafka, {EVENTS} events, {1 / EVERY_S:g}/s: p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms")
        assert pipeline.leaves(signal.SIGTERM) == 0
    assert p50 < 500 * slowness()
    # Of 60 events the 99th percentile is the slowest one: on a busy machine that says more about the machine.
    assert p95 < 1500 * slowness()
