"""The one reader of `tower.metrics`: a thread that owns the consumer and fills the store.

It reads from where the lake's export ends, so that history and live data leave no gap, and from
the log's beginning when there is no export or the log no longer reaches back to it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dashboard.history import read_manifest
from dashboard.scope import Scope
from dashboard.store import Store
from schemas.kafka import KafkaSettings, consumer_config
from schemas.metrics import REVISION, withdrawn
from schemas.topics import METRICS

_BATCH = 2_000
_POLL_S = 0.1
_MANIFEST_EVERY_S = 5.0
_RETRY_S = 1.0
_QUERY_S = 5.0
_LIVE_LAG = 200
_UNREACHABLE = (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT)


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """How the feed is: `state` is `connecting`, `catching up`, `live`, `unreachable` or `failed`, since `since_ms` (epoch ms)."""

    state: str
    since_ms: int
    lag: int = 0
    refused: int = 0


class Feed(threading.Thread):
    """Fills the store until `stop`; calls `changed()` after data came or the status changed, and at least each `tick_s`, not oftener than
    each `push_s` (seconds).
    """

    def __init__(
        self,
        *,
        home: Path,
        kafka: KafkaSettings,
        store: Store,
        changed: Callable[[], None],
        failed: Callable[[Exception], None],
        reload: Callable[[list[Scope]], None],
        tick_s: float,
        push_s: float,
        now_ms: Callable[[], int],
    ) -> None:
        super().__init__(name="feed", daemon=True)
        self._home = home
        self._kafka = kafka
        self._store = store
        self._changed = changed
        self._failed = failed
        self._reload = reload
        self._tick_s = tick_s
        self._push_s = push_s
        self._now_ms = now_ms
        self._stopping = threading.Event()
        self._ends: dict[int, int] = {}
        self._positions: dict[int, int] = {}
        self._out_of_range: set[int] = set()
        self.status = FeedStatus("connecting", now_ms())

    def stop(self) -> None:
        """Ask the thread to end, and wait for it."""
        self._stopping.set()
        self.join(timeout=10)

    def run(self) -> None:
        """Read until stopped; a broker that is away is waited for. An error is told to `failed`: a silent feed must not look alive."""
        try:
            self._follow()
        except Exception as error:
            self._set("failed")
            self._failed(error)

    def _follow(self) -> None:
        consumer = Consumer({**consumer_config(self._kafka, "tower-dashboard"), "error_cb": self._on_error})
        try:
            while not self._stopping.is_set() and not self._assign(consumer):
                self._changed()
                self._stopping.wait(_RETRY_S)
            self._read(consumer)
        finally:
            consumer.close()

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in _UNREACHABLE and self.status.state != "unreachable":
            self._set("unreachable")

    def _set(self, state: str) -> None:
        if state != self.status.state:
            self.status = replace(self.status, state=state, since_ms=self._now_ms())

    def _assign(self, consumer: Consumer) -> bool:
        """Assign all partitions from where the export ends; return False while topic or broker is not there."""
        offsets = read_manifest(self._home).by_partition()
        try:
            partitions = consumer.list_topics(METRICS, timeout=_QUERY_S).topics[METRICS].partitions
            starts = []
            for partition in partitions:
                low, high = consumer.get_watermark_offsets(TopicPartition(METRICS, partition), timeout=_QUERY_S)
                wanted = offsets.get(partition, low)
                start = wanted if low <= wanted <= high else low
                starts.append(TopicPartition(METRICS, partition, start))
                self._positions[partition], self._ends[partition] = start, high
        except KafkaException as error:
            self._on_error(error.args[0])
            return False
        if not starts:
            self._set("connecting")
            return False
        self._store.exported(offsets)
        consumer.assign(starts)
        self._set("catching up")
        return True

    def _read(self, consumer: Consumer) -> None:
        told = manifest_read = time.monotonic()
        version = -1
        while not self._stopping.is_set():
            messages = consumer.consume(_BATCH, _POLL_S)
            for message in messages:
                self._take(consumer, message)
            now = time.monotonic()
            if now - manifest_read >= _MANIFEST_EVERY_S:
                manifest_read = now
                self._reload(self._store.exported(read_manifest(self._home).by_partition()))
            self._recover(consumer)
            self._note_lag(consumer)
            due = now - told >= self._tick_s
            if due or (self._store.version != version and now - told >= self._push_s):
                told, version = now, self._store.version
                self._changed()

    def _take(self, consumer: Consumer, message: Message) -> None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if error is not None:
            if error.code() == KafkaError._AUTO_OFFSET_RESET and partition is not None:
                self._out_of_range.add(partition)
            elif error.code() == KafkaError._PARTITION_EOF and partition is not None and offset is not None:
                self._ends[partition] = self._positions[partition] = offset
            else:
                self._on_error(error)
            return
        key, value = message.key(), message.value()
        assert partition is not None
        assert offset is not None
        self._positions[partition] = offset + 1
        if key is None:
            return
        try:
            # A tombstone is kept as what it says: else the lake, which is exported later, would bring the window back.
            told = value if value is not None else msgspec.json.encode(withdrawn(bytes(key), _revision(message)))
            self._store.receive(bytes(key), bytes(told), partition, offset)
        except msgspec.DecodeError:
            self.status = replace(self.status, refused=self.status.refused + 1)

    def _recover(self, consumer: Consumer) -> None:
        """Go back to the log's beginning where its retention has overtaken us, and see whether a lost broker is back."""
        if not self._out_of_range and self.status.state != "unreachable":
            return
        try:
            for partition in list(self._out_of_range) or list(self._positions)[:1]:
                low, high = consumer.get_watermark_offsets(TopicPartition(METRICS, partition), timeout=_RETRY_S)
                if partition in self._out_of_range:
                    self._positions[partition], self._ends[partition] = low, high
            if self._out_of_range:
                # Assigned anew, since a partition that has failed refuses a seek.
                consumer.assign([TopicPartition(METRICS, partition, offset) for partition, offset in self._positions.items()])
                self._out_of_range.clear()
        except KafkaException as error:
            self._on_error(error.args[0])
            return
        self._set("catching up")

    def _note_lag(self, consumer: Consumer) -> None:
        for partition in self._ends:
            _, high = consumer.get_watermark_offsets(TopicPartition(METRICS, partition), cached=True)
            self._ends[partition] = max(self._ends[partition], high)
        lag = sum(max(0, end - self._positions[partition]) for partition, end in self._ends.items())
        if lag != self.status.lag:
            self.status = replace(self.status, lag=lag)
        if self.status.state == "catching up" and lag <= _LIVE_LAG:
            self._set("live")


def _revision(tombstone: Message) -> int:
    """Return the revision as of which a window is withdrawn: the header, or where there is none the time, below which none begins.

    Raises msgspec.DecodeError where the header has no number.
    """
    told = dict(tombstone.headers() or ()).get(REVISION)
    return msgspec.json.decode(told, type=int) if told is not None else tombstone.timestamp()[1]
