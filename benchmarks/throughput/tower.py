"""Candidate 3: the whole of our pipeline, as a user runs it, on a fresh home: labels joined, duplicates removed, everything published."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
from confluent_kafka import Consumer, TopicPartition

from benchmarks.throughput.candidate import Cost, run
from benchmarks.throughput.events import Written
from schemas.errors import TowerError
from schemas.kafka import KafkaSettings, consumer_config
from schemas.lake import metrics_view_sql
from schemas.topics import METRICS


@dataclass(frozen=True, slots=True)
class Whole:
    """A run over all events, and one with nothing left to do, whose time is start-up and shutdown alone."""

    busy: Cost
    idle: Cost
    published: int

    @property
    def working_s(self) -> float:
        """Seconds from the first read to the last publish."""
        return self.busy.wall - self.idle.wall


def run_pipeline(home: Path, kafka: KafkaSettings, root: Path, flags: list[str]) -> Whole:
    """Run `tower pipeline --until-caught-up` twice, and count the metrics messages that it published."""
    environment = {"TOWER_HOME": str(home), "TOWER_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    command = [sys.executable, "-m", "control", "pipeline", "--until-caught-up", *flags]
    busy = run("the pipeline", command, environment, root=root)
    consumer = Consumer(consumer_config(kafka, "benchmark"))
    _, published = consumer.get_watermark_offsets(TopicPartition(METRICS, 0), 30)
    consumer.close()
    return Whole(busy, run("the idle pipeline", command, environment, root=root), published)


def check(home: Path, written: Written) -> None:
    """Compare the totals of the published hours with what was written.

    Raises TowerError when a prediction, a repeat or a label is missing or counted twice.
    """
    with duckdb.connect() as connection:
        totals = dict(
            connection.sql(f"""
                SELECT metric, sum(CASE WHEN metric = 'label_coverage' THEN value * n ELSE value END)
                FROM ({metrics_view_sql(home)})
                WHERE "window" = '1h' AND model_version = '*' AND segment = '*' AND dimension = ''
                      AND metric IN ('prediction_volume', 'duplicate_predictions', 'label_coverage')
                GROUP BY metric
            """).fetchall()
        )
    found = {metric: round(total) for metric, total in totals.items()}
    wanted = {
        "prediction_volume": written.distinct,
        "duplicate_predictions": written.predictions - written.distinct,
        "label_coverage": written.labelled,
    }
    if found != wanted:
        raise TowerError(f"the pipeline counted {found}, and {wanted} was written")
