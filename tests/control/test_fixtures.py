"""The session's Kafka is real: what is produced to a fresh topic can be read, and fresh means empty."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, Producer, TopicPartition
from playwright.sync_api import Browser

from schemas.kafka import KafkaSettings, consumer_config, producer_config
from schemas.topics import PREDICTIONS


def test_fresh_topics_are_empty_and_keep_what_is_produced(topics: Callable[[int], KafkaSettings]) -> None:
    for _ in range(2):
        kafka = topics(3)
        producer = Producer(producer_config(kafka))
        producer.produce(PREDICTIONS, b"{}", partition=2)
        assert producer.flush(20) == 0
        consumer = Consumer(consumer_config(kafka, "fixture"))
        assert consumer.get_watermark_offsets(TopicPartition(PREDICTIONS, 2), timeout=20) == (0, 1)
        assert len(consumer.list_topics(PREDICTIONS, timeout=20).topics[PREDICTIONS].partitions) == 3
        consumer.close()


def test_the_browser_is_a_real_one(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content("<p id=a></p><script>document.getElementById('a').textContent = [1, 2, 3].map(x => x * x).join()</script>")
    assert page.inner_text("#a") == "1,4,9"
    page.close()
