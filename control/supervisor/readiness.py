"""When the dashboard answers, and when the pipeline has caught up with the present."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping

import msgspec
from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from schemas.errors import BrokerUnavailable
from schemas.kafka import KafkaSettings, consumer_config
from schemas.metrics import ALL, MetricsMessage
from schemas.topics import DEAD_LETTERS, METRICS, PREDICTIONS

DAY = "1d"
COUNTED = ("prediction_volume", "duplicate_predictions")
"""A prediction that was read is in one of these, or a dead letter."""
_BATCH = 5000
_MOST_BATCHES = 10
_TIMEOUT_S = 10.0
_ASK_AGAIN_S = 0.2
_DAYS_OF_ALL = f'"{ALL}","{ALL}","{DAY}"'.encode()


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Say whether a web page on this machine is there."""
    # No proxy: what the environment names is for other hosts.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class CatchUp:
    """Whether the pipeline has published all predictions that Kafka had at a moment.

    It counts what the contract promises: each prediction read is in the metrics of its day, a counted duplicate, or a dead
    letter. It follows `tower.metrics` from its end on; `before` is what was published earlier, (model, day's start) -> count.
    """

    def __init__(self, kafka: KafkaSettings, before: Mapping[tuple[str, int], int]) -> None:
        self._consumer = Consumer({**consumer_config(kafka, f"tower-start-{uuid.uuid4().hex[:8]}"), "enable.partition.eof": False})
        try:
            partitions = self._consumer.list_topics(METRICS, timeout=_TIMEOUT_S).topics[METRICS].partitions
        except KafkaException as error:
            raise BrokerUnavailable(f"Kafka does not say what {METRICS} has: {error.args[0].str()}", "see ./tower doctor") from error
        self._consumer.assign([TopicPartition(METRICS, partition, OFFSET_END) for partition in partitions])
        self._counted = dict(before)
        self._wanted: int | None = None

    def want_all_until_now(self) -> None:
        """Note what Kafka has now: that is to be caught up with.

        On a machine that is too busy a broker may lead no partition for a moment, so it is asked again. Raises BrokerUnavailable.
        """
        until = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                self._wanted = self._ends(PREDICTIONS)
                return
            except KafkaException as error:
                if time.monotonic() >= until:
                    reason = error.args[0].str()
                    raise BrokerUnavailable(f"Kafka does not say how many events it has: {reason}", "see ./tower doctor") from error
            time.sleep(_ASK_AGAIN_S)

    def reached(self) -> bool:
        """Say whether the metrics contain all that was noted. Does not wait; is to be called now and then, also before."""
        for _ in range(_MOST_BATCHES):
            messages = self._consumer.consume(_BATCH, timeout=0)
            self._count(message.value() for message in messages if message.error() is None and _DAYS_OF_ALL in (message.key() or b""))
            if len(messages) < _BATCH:
                break
        if self._wanted is None:
            return False
        counted = sum(self._counted.values())
        try:
            return counted >= self._wanted or counted + self._ends(DEAD_LETTERS) >= self._wanted
        except KafkaException:
            # It is away for a moment; the parts wait for it, and so do we.
            return False

    def _count(self, values: Iterable[bytes | None]) -> None:
        for value in values:
            if value is not None:
                try:
                    message = msgspec.json.decode(value, type=MetricsMessage)
                except msgspec.DecodeError:  # somebody else's; the dashboard tells of it
                    continue
                count = sum(row.value for row in message.rows if row.metric in COUNTED and row.dimension == "")
                self._counted[message.model, message.window_start] = int(count)

    def _ends(self, topic: str) -> int:
        """Return how many events the topic has had: the sum of its partitions' end offsets."""
        partitions = self._consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
        return sum(self._consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=_TIMEOUT_S)[1] for one in partitions)

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()
