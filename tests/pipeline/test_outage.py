"""What is said while Kafka is away, and when it is back: each once, though many clients report it, and not at the same time."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from pipeline.publish.topic import AcknowledgedProducer
from pipeline.reading.outage import OutageLog
from schemas.errors import BrokerUnavailable
from schemas.kafka import KafkaSettings

AWAY = KafkaError(KafkaError._ALL_BROKERS_DOWN)


def test_an_outage_is_told_now_and_then_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tower.pipeline")
    times = iter([100.0, 101.0, 105.0, 111.0, 111.0, 111.0, 130.0])
    outage = OutageLog(lambda: next(times))
    for _ in range(4):
        outage.note(AWAY)
    outage.heard()
    outage.heard()
    # Partitions whose clients have not noticed yet: neither an outage nor an end.
    outage.note(AWAY)
    outage.heard()
    assert [record.message.split(" (")[0] for record in caplog.records] == [
        "Kafka does not answer",
        "Kafka does not answer",
        "Kafka answers again, after 11.0 s",
    ]
    outage.note(AWAY)
    assert caplog.records[-1].levelname == "WARNING"


def test_a_second_outage_soon_after_the_first_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "tower.pipeline")
    times = iter([100.0, 101.0, 102.0, 103.0, 104.5, 105.0])
    outage = OutageLog(lambda: next(times))
    outage.note(AWAY)
    outage.heard()
    for _ in range(3):
        outage.note(AWAY)
    assert len(caplog.records) == 3
    outage.heard()
    assert [record.message.split(" (")[0] for record in caplog.records[2:]] == ["Kafka does not answer", "Kafka answers again, after 3.0 s"]


def test_messages_that_do_not_fit_into_memory_do_not_hold_up_the_end() -> None:
    nowhere = KafkaSettings(bootstrap_servers="127.0.0.1:1", options={"queue.buffering.max.kbytes": "1"})
    producer = AcknowledgedProducer(nowhere, keep_waiting=lambda: False)
    with pytest.raises(BrokerUnavailable, match="1 messages to a were not acknowledged - they are sent again"):
        producer.send("a", [(None, bytes(1000), None)] * 2)
