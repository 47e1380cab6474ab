"""The pipeline has caught up when the metrics contain every prediction that Kafka had, and not before."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from confluent_kafka import Producer

from control.supervisor.readiness import CatchUp
from schemas.kafka import KafkaSettings, producer_config
from schemas.metrics import MetricRow, MetricsMessage, message_key
from schemas.topics import DEAD_LETTERS, METRICS, PREDICTIONS
from tests.waiting import wait_until

DAY_MS = 86_400_000


def test_caught_up_is_when_all_is_in_the_metrics_a_duplicate_or_a_dead_letter(topics: Callable[[int], KafkaSettings]) -> None:
    kafka = topics(2)
    producer = Producer(producer_config(kafka))
    revision = 0

    def publish(window_start: int, volume: float, duplicates: float, *, version: str = "*", window: str = "1d") -> None:
        nonlocal revision
        revision += 1
        rows = [MetricRow("", "prediction_volume", volume, int(volume)), MetricRow("", "duplicate_predictions", duplicates, int(volume))]
        message = MetricsMessage(
            "m", version, "*", window, window_start, window_start + DAY_MS, "provisional", revision, window_start, rows
        )
        producer.produce(METRICS, msgspec.json.encode(message), message_key("m", version, "*", window, window_start))
        assert producer.flush(30) == 0

    for number in range(10):
        producer.produce(PREDICTIONS, b"{}", partition=number % 2)
    producer.produce(DEAD_LETTERS, b"{}")
    publish(9 * DAY_MS, 1000, 0)
    catch_up = CatchUp(kafka, {("m", 0): 2})
    try:
        assert not catch_up.reached()
        catch_up.want_all_until_now()
        publish(DAY_MS, 3, 1)
        publish(DAY_MS, 500, 0, version="1")
        publish(DAY_MS, 500, 0, window="1h")
        publish(DAY_MS, 4, 1)
        # 2 from before, 5 of the newest message, 1 dead letter: two are missing.
        for _ in range(40):
            assert not catch_up.reached()
        publish(2 * DAY_MS, 2, 0)
        wait_until(catch_up.reached, "two more make ten")
    finally:
        catch_up.close()
