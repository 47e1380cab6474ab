"""The simple job in Quix Streams: grouped by model, which takes a repartition topic since the log is keyed by prediction id, then windows.

Its windows close by the time of later events of the same key alone. So when all events have come through, one more for each model,
which is no part of the job, closes the last windows.
Run by the benchmark, in the environment of `benchmarks/requirements.txt`, as
`python -m benchmarks.throughput.programs quix_windows BOOTSTRAP EVENTS STATE_FOLDER`.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
from quixstreams import Application
from quixstreams.dataframe.windows import Collect, Sum

from benchmarks.throughput.job import REPARTITIONED_PATIENCE_MS, TOPIC, WINDOW_MS, Stopwatch, WindowRow, nearest_rank_p99, nulls_of, report

Sample = dict[str, Any]
"""What goes through the repartition topic: model, created_at in epoch ms, latency in ms, null and all feature values."""


class SimpleJob:
    """The application, and what it has come to."""

    def __init__(self, bootstrap: str, events: int, state_folder: str) -> None:
        self._events = events
        self._group = f"benchmark-{uuid4()}"
        self._watch: Stopwatch | None = None
        self._measured = (0.0, 0.0)
        self._grouped = self._late = self._closing = 0
        self._newest: dict[str, int] = {}
        self._results: list[WindowRow] = []
        self._application = Application(
            bootstrap, consumer_group=self._group, auto_offset_reset="earliest", state_dir=state_folder, loglevel="ERROR"
        )
        events_of_log = self._application.dataframe(self._application.topic(TOPIC, value_deserializer="json"))
        samples = events_of_log.apply(self._sample).group_by("model")
        # The broker stamps what it takes with its own clock: the event time is in the value.
        samples = samples.set_timestamp(lambda value, key, timestamp, headers: value["created_at"]).update(self._count)
        windows = samples.tumbling_window(WINDOW_MS, grace_ms=REPARTITIONED_PATIENCE_MS, on_late=self._note_late).agg(
            latencies=Collect("latency"), nulls=Sum("nulls"), values=Sum("values")
        )
        windows.final().update(self._take, metadata=True)

    def run(self) -> None:
        """Do the job, and report."""
        self._application.run()
        report(self._grouped, *self._measured, self._results, late=self._late)

    def _sample(self, event: dict[str, Any]) -> Sample:
        if self._watch is None:
            self._watch = Stopwatch()
        nulls, values = nulls_of(event["features"])
        return {
            "model": event["model"],
            "created_at": event["created_at"],
            "latency": event["response_time_ms"],
            "nulls": nulls,
            "values": values,
        }

    def _count(self, sample: Sample) -> None:
        if self._grouped == self._events:
            self._closing -= 1
            if not self._closing:
                self._application.stop()
            return
        self._grouped += 1
        model = sample["model"]
        self._newest[model] = max(self._newest.get(model, 0), sample["created_at"])
        if self._grouped == self._events:
            self._close_windows()

    def _close_windows(self) -> None:
        """Send an event for each model that is late enough to close all windows."""
        self._closing = len(self._newest)
        topic = f"repartition__{self._group}--{TOPIC}--model"
        with self._application.get_producer() as producer:
            for model, newest in self._newest.items():
                end = newest + WINDOW_MS + REPARTITIONED_PATIENCE_MS
                closing = {"model": model, "created_at": end, "latency": 0.0, "nulls": 0, "values": 1}
                producer.produce(topic, orjson.dumps(closing), key=orjson.dumps(model))

    def _take(self, window: dict[str, Any], key: str, timestamp: int, headers: object) -> None:
        latencies = window["latencies"]
        nulls = 100 * window["nulls"] / window["values"]
        self._results.append((key, window["start"], len(latencies), nearest_rank_p99(latencies), nulls))
        assert self._watch is not None
        self._measured = self._watch.read()

    def _note_late(self, *_: object) -> bool:
        self._late += 1
        return False


def main(bootstrap: str, events: str, state_folder: str) -> None:
    """Do the job."""
    SimpleJob(bootstrap, int(events), state_folder).run()
