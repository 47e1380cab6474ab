"""The simple job in Control Tower's own parts: what the pipeline does with predictions up to a pane's cells, and from those to metrics.

Read in batches, decode strictly, make columns, make cells, add them up by (model, window); at the end the product's metrics of count,
latency and nulls. There is no deduplication, join, store, other window or scope: nobody else in this comparison has them.
Run by the benchmark as `python -m benchmarks.throughput.programs tower_windows BOOTSTRAP`.
"""

from __future__ import annotations

from threading import Event as Flag

import bytewax.operators as op
import numpy as np
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from confluent_kafka import Consumer, TopicPartition

from benchmarks.throughput.job import TOPIC, Stopwatch, WindowRow, report
from pipeline.cells import Floats, Kind, Names
from pipeline.columns import Predictions, unpack
from pipeline.memory import collect_seldom, share_one_heap
from pipeline.metrics.latency import latency_rows
from pipeline.metrics.nulls import null_rows
from pipeline.metrics.rows import Rows, Scope
from pipeline.metrics.selection import select
from pipeline.metrics.table import PaneBatch
from pipeline.metrics.volume import volume_rows
from pipeline.panes import LENGTH_MS, Cells, merge, pane_ids, pane_scope, pane_start_ms, summed
from pipeline.reading.pace import PaceBoard, Position
from pipeline.reading.process import Read, ReadJob
from pipeline.reading.source import KafkaSource
from pipeline.settings import PipelineSettings
from pipeline.shard.deltas import concatenated, prediction_deltas
from pipeline.shard.names import NameTables
from pipeline.shard.rows import prediction_rows
from pipeline.watermark import BEGINNING
from schemas.kafka import KafkaSettings, consumer_config

_WINDOW = 0
"""The index of the 10 s window in `pipeline.panes.WINDOWS`."""
_MERGE_AT = 64
"""So many batches are added up at once: each time costs what all open windows hold."""


class ModelWindows:
    """The cells of each (model, 10 s window)."""

    def __init__(self, settings: PipelineSettings) -> None:
        self.names = NameTables(settings.limits)
        self.events = 0
        self._cells: list[Cells] = []

    def add(self, predictions: Predictions) -> None:
        """Add a batch: every row counts."""
        rows = prediction_rows(predictions, BEGINNING, self.names)
        every = np.arange(len(rows))
        delta = concatenated(prediction_deltas(rows, every, every[:0]))
        model = np.array([profile[0] for profile in self.names.profiles.items], dtype=np.int64)[delta.profile]
        start = delta.created_at - delta.created_at % LENGTH_MS[_WINDOW]
        self._cells.append(summed(pane_ids(_WINDOW, start, model), delta.cell, delta.value))
        self.events += len(rows)
        if len(self._cells) >= _MERGE_AT:
            self._cells = [merge(self._cells)]

    def results(self) -> list[WindowRow]:
        """Return the metrics of all windows."""
        cells = merge(self._cells)
        panes, index = np.unique(cells.pane, return_inverse=True)
        seconds = LENGTH_MS[_WINDOW] / 1000
        selection = select(
            PaneBatch(
                count=len(panes),
                pane=index,
                key=cells.cell,
                value=cells.value,
                length_s=np.full(len(panes), seconds),
                elapsed_s=np.full(len(panes), seconds),
                positive_class=np.full(len(panes), -1),
                task=np.zeros(len(panes), dtype=np.int8),
                rolling=np.zeros(len(panes), dtype=bool),
                names=self._shared_names(),
            )
        )
        blocks = [*volume_rows(selection, selection.count(Kind.KEYS)), *latency_rows(selection), *null_rows(selection)]
        volume, p99, nulls = (
            _column(blocks, name, len(panes)) for name in ("prediction_volume", "latency_p99_ms", "input_null_percentage")
        )
        models = [self.names.texts.items[scope] for scope in pane_scope(panes).tolist()]
        starts = pane_start_ms(panes).tolist()
        return list(zip(models, starts, volume.astype(int).tolist(), p99.tolist(), nulls.tolist(), strict=True))

    def _shared_names(self) -> Names:
        key_sets = [np.array(key_set, dtype=np.int64) for key_set in self.names.key_sets.items]
        return Names(features=self.names.features.items, key_sets=key_sets)


def _column(blocks: list[Rows], metric: str, panes: int) -> Floats:
    """Return a metric's value for each pane, over the whole pane."""
    found = np.full(panes, np.nan)
    for rows in blocks:
        if rows.metric == metric and rows.scope is Scope.WHOLE:
            found[rows.pane] = rows.value
    return found


class _Sink(DynamicSink[Predictions]):
    """Hands the columns of each batch to the windows."""

    def __init__(self, windows: ModelWindows) -> None:
        self._windows = windows

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _SinkPart:
        """Return the only part."""
        return _SinkPart(self._windows)


class _SinkPart(StatelessSinkPartition[Predictions]):
    def __init__(self, windows: ModelWindows) -> None:
        self._windows = windows

    def write_batch(self, items: list[Predictions]) -> None:
        """Add the batches."""
        for predictions in items:
            self._windows.add(predictions)


def build(kafka: KafkaSettings, settings: PipelineSettings, windows: ModelWindows, failed: list[Exception]) -> Dataflow:
    """Return the dataflow, which ends at the ends of the partitions as they are now."""
    end = ends(kafka)
    job = ReadJob(kafka, settings, 1, BEGINNING, PaceBoard(end), dict.fromkeys(end, 0), end)

    def predictions(read: Read) -> list[Predictions]:
        if read.dead:
            raise ValueError(f"an event was refused: {read.dead[0].rejection}")
        return [part.predictions for part in unpack(read.packed[0]) if part.predictions is not None]

    flow = Dataflow("simple_job")
    batches = op.input("read_and_decode", flow, KafkaSource(job, Flag(), failed.append))
    op.output("windows", op.flat_map("predictions", batches, predictions), _Sink(windows))
    return flow


def ends(kafka: KafkaSettings) -> dict[Position, int]:
    """Return the end offset of each partition of the predictions."""
    consumer = Consumer(consumer_config(kafka, "benchmark"))
    partitions = consumer.list_topics(TOPIC, timeout=30).topics[TOPIC].partitions
    found = {(TOPIC, number): consumer.get_watermark_offsets(TopicPartition(TOPIC, number), 30)[1] for number in partitions}
    consumer.close()
    return found


def main(bootstrap: str) -> None:
    """Do the job, and report."""
    share_one_heap()
    settings = PipelineSettings()
    windows = ModelWindows(settings)
    failed: list[Exception] = []
    flow = build(KafkaSettings(bootstrap_servers=bootstrap), settings, windows, failed)
    collect_seldom()
    watch = Stopwatch()
    run_main(flow)  # type: ignore[no-untyped-call]
    results = windows.results()
    report(windows.events, *watch.read(), results)
