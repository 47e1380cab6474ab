"""Ours with everything on, as a user runs it, on a fresh home: labels joined, duplicates removed, all metrics in all windows published."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
from confluent_kafka import Consumer, TopicPartition

from benchmarks.throughput.candidate import ROOT, Measured, Reads, Stage
from benchmarks.throughput.events import Written
from benchmarks.throughput.job import WindowRow
from benchmarks.throughput.process import run
from benchmarks.throughput.verdict import Verdict, verdict
from schemas.kafka import KafkaSettings, consumer_config
from schemas.lake import metrics_view_sql
from schemas.topics import METRICS

EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Everything:
    """`tower pipeline --until-caught-up`, and once more with nothing left to do: that is start-up and shutdown, and is taken off."""

    processes: int = 1
    key: str = EVERYTHING
    reads: Reads = Reads.BOTH

    @property
    def name(self) -> str:
        """Its name in the table."""
        return "Control Tower, everything" + (f", {self.processes} processes" if self.processes > 1 else "")

    def measure(self, stage: Stage) -> Measured:
        """Run it on a fresh home, and check what it has published."""
        home = stage.folder / "home"
        environment = {"TOWER_HOME": str(home), "TOWER_KAFKA__BOOTSTRAP_SERVERS": stage.kafka.bootstrap_servers}
        command = [sys.executable, "-m", "control", "pipeline", "--until-caught-up"]
        if self.processes > 1:
            command += ["--processes", str(self.processes)]
        busy = run(self.name, command, environment, root=ROOT, limit_s=stage.limit_s)
        messages = _published(stage.kafka)
        idle = run(self.name, command, environment, root=ROOT, limit_s=stage.limit_s)
        records = self.reads.records(stage.written)
        notes = (
            f"{busy.wall:.1f} s and {busy.processor:.1f} CPU s with start-up and all",
            f"start-up and shutdown alone take {idle.wall:.1f} s",
            f"published {messages} metrics messages",
        )
        return Measured(records, busy.wall - idle.wall, busy.processor - idle.processor, busy.memory, _checked(home, stage), notes=notes)


def _published(kafka: KafkaSettings) -> int:
    consumer = Consumer(consumer_config(kafka, "benchmark"))
    _, published = consumer.get_watermark_offsets(TopicPartition(METRICS, 0), 30)
    consumer.close()
    return int(published)


def _checked(home: Path, stage: Stage) -> Verdict:
    """Check the totals of repeats and labels, and each window's count, p99 and nulls, each prediction id once."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW metrics AS {metrics_view_sql(home)}")
        wrong = _totals(connection, stage.written)
        found = verdict(stage.expected.distinct, _windows(connection))
    return Verdict(found.lost, wrong or found.wrong)


def _totals(connection: duckdb.DuckDBPyConnection, written: Written) -> str:
    """Return what is wrong with the totals over the hours, or an empty text."""
    rows = connection.execute("""
        SELECT metric, sum(CASE WHEN metric = 'label_coverage' THEN value * n ELSE value END)
        FROM metrics
        WHERE "window" = '1h' AND model_version = '*' AND segment = '*' AND dimension = ''
              AND metric IN ('prediction_volume', 'duplicate_predictions', 'label_coverage')
        GROUP BY metric
    """).fetchall()
    found = {metric: round(total) for metric, total in rows}
    wanted = {
        "prediction_volume": written.distinct,
        "duplicate_predictions": written.predictions - written.distinct,
        "label_coverage": written.labelled,
    }
    found = {metric: found.get(metric, 0) for metric in wanted}
    return "" if found == wanted else f"the hours come to {found}, not {wanted}"


def _windows(connection: duckdb.DuckDBPyConnection) -> list[WindowRow]:
    """Return the results of the simple job, as they are among the published ones."""
    return connection.execute("""
        SELECT model, epoch_ms(window_start), max(value) FILTER (metric = 'prediction_volume')::BIGINT,
               max(value) FILTER (metric = 'latency_p99_ms'), max(value) FILTER (metric = 'input_null_percentage')
        FROM metrics
        WHERE "window" = '10s' AND model_version = '*' AND segment = '*' AND dimension = ''
        GROUP BY ALL HAVING count(*) FILTER (metric = 'prediction_volume') > 0
    """).fetchall()
