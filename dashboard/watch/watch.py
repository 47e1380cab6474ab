"""The thread that looks at everything once a second."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from confluent_kafka import Consumer, KafkaException

from dashboard.feed import FeedStatus
from dashboard.watch.checks import checks
from dashboard.watch.lag import Bounds, bounds, lags
from dashboard.watch.letters import LetterReader
from dashboard.watch.report import Report, Sample
from schemas.health import PipelineHealth, read_health
from schemas.kafka import KafkaSettings, consumer_config
from schemas.version import versions

_EVERY_S = 1.0
_ANSWER_S = 2.0
_SIZES_EVERY_S = 10.0
_SAMPLES = 300
"""Five minutes of them."""
_LIBRARIES = ("panel", "bokeh", "duckdb", "confluent-kafka")
_PLACES = {
    "Label store and panes (shards)": "state/shard-*",
    "Published panes": "state/publisher",
    "DuckDB": "tower.duckdb*",
    "Metrics as Parquet": "lake",
    "Kafka": "broker",
}


class Watch(threading.Thread):
    """Keeps `report` current until `stop`. `feed` says how the dashboard's own feed is; `now_ms` returns epoch milliseconds."""

    def __init__(self, *, home: Path, kafka: KafkaSettings, feed: Callable[[], FeedStatus], now_ms: Callable[[], int]) -> None:
        super().__init__(name="watch", daemon=True)
        self._home = home
        self._kafka = kafka
        self._feed = feed
        self._now_ms = now_ms
        self._stopping = threading.Event()
        self._samples: deque[Sample] = deque(maxlen=_SAMPLES)
        self._before: PipelineHealth | None = None
        self._bounds: Bounds = {}
        self._sizes: dict[str, int] = {}
        self._sized_s = -_SIZES_EVERY_S
        self._versions = versions(_LIBRARIES)
        self.report: Report | None = None

    def stop(self) -> None:
        """Ask the thread to end, and wait for it."""
        self._stopping.set()
        self.join(timeout=10)

    def run(self) -> None:
        """Look, until stopped. What cannot be seen while Kafka is away stays as it was."""
        # Its own silence about a broker that is away: the feed tells of that.
        consumer = Consumer({**consumer_config(self._kafka, "tower-dashboard-health"), "error_cb": lambda _: None})
        letters = LetterReader(consumer)
        try:
            while not self._stopping.wait(_EVERY_S if self.report else 0):
                with suppress(KafkaException):
                    self._bounds = bounds(consumer, _ANSWER_S)
                    letters.poll(_ANSWER_S)
                self.report = self._look(letters)
        finally:
            consumer.close()

    def _look(self, letters: LetterReader) -> Report:
        now, health, disk = (
            self._now_ms(),
            read_health(self._home),
            shutil.disk_usage(next(place for place in (self._home, *self._home.absolute().parents) if place.exists())),
        )
        partitions = list(lags(health, self._bounds))
        self._sample(health, sum(each.lag for each in partitions))
        if time.monotonic() - self._sized_s >= _SIZES_EVERY_S:
            self._sized_s = time.monotonic()
            self._sizes = {name: _size(self._home, pattern) for name, pattern in _PLACES.items()}
        found = letters.summary(now)
        judged = checks(
            now=now,
            health=health,
            feed=self._feed(),
            partitions=partitions,
            samples=list(self._samples),
            letters=found,
            free_share=disk.free / disk.total,
        )
        memory = psutil.Process().memory_info().rss
        return Report(now, judged, health, partitions, list(self._samples), found, self._sizes, disk.free, memory, self._versions)

    def _sample(self, health: PipelineHealth | None, lag: int) -> None:
        """Take a sample, where the pipeline has said something new."""
        before, self._before = self._before, health
        if health is None or before is None or health.updated_at == before.updated_at:
            return
        again = health.started_at != before.started_at
        taken = _events(health) - (0 if again else _events(before))
        seconds = (health.updated_at - (health.started_at if again else before.updated_at)) / 1000
        self._samples.append(Sample(health.updated_at, taken / seconds if seconds > 0 else 0.0, lag))


def _events(health: PipelineHealth) -> int:
    return sum(health.counts.get(name, 0) for name in ("predictions", "duplicates", "outcomes"))


def _size(home: Path, pattern: str) -> int:
    """Return the bytes of all files in the places that a pattern names; files may come and go meanwhile."""
    total = 0
    for place in home.glob(pattern):
        for file in [place, *place.rglob("*")]:
            with suppress(OSError):
                total += file.stat().st_size if file.is_file() else 0
    return total
