"""When the dashboard answers, and when the pipeline has caught up with the present."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid

from confluent_kafka import OFFSET_END, Consumer, KafkaError, TopicPartition

from schemas.kafka import KafkaSettings, consumer_config
from schemas.metrics import ROLLING, WINDOW_LENGTH_MS
from schemas.topics import METRICS

_BATCH = 2000


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Say whether a web page on this machine is there."""
    # No proxy: what the environment names is for other hosts.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class MetricsWatch:
    """Follows `tower.metrics` from its end and knows the newest event time that the pipeline publishes."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._consumer = Consumer({**consumer_config(kafka, f"tower-start-{uuid.uuid4().hex[:8]}"), "enable.partition.eof": False})
        metadata = self._consumer.list_topics(METRICS, timeout=10)
        self._consumer.assign([TopicPartition(METRICS, partition, OFFSET_END) for partition in metadata.topics[METRICS].partitions])
        self._newest = 0

    def newest_event_time(self) -> int:
        """Return the end of the newest window seen, in epoch ms, exact to ten seconds; 0 before the first. Does not wait."""
        for message in self._consumer.consume(_BATCH, timeout=0):
            error = message.error()
            if error is None:
                self._newest = max(self._newest, _window_end(message.key()))
            elif error.code() == KafkaError._PARTITION_EOF:
                continue
        return self._newest

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()


def _window_end(key: bytes | None) -> int:
    """Return the end of a message's window, of the finest windows alone: a day's window ends in the future."""
    if key is None:
        return 0
    *_, window, start = json.loads(key)
    return int(start) + WINDOW_LENGTH_MS[window] if window != ROLLING and WINDOW_LENGTH_MS[window] <= 10_000 else 0
