"""Kafka Streams, on the broker's own Java runtime: the second run in one JVM, since the first one pays for warming up."""

from __future__ import annotations

from benchmarks.throughput.candidate import Program, Stage
from benchmarks.throughput.candidates.java import JavaProgram
from benchmarks.throughput.job import REPARTITIONED_PATIENCE_MS, TOPIC, WINDOW_MS

PROGRAM = JavaProgram(
    name="Kafka Streams",
    version="4.3.1",
    main_class="KafkaStreamsWindows",
    sources=("KafkaStreamsWindows", "Accumulator", "Report"),
    needs=("org.apache.kafka:kafka-streams:4.3.1",),
)


def kafka_streams() -> Program:
    """Return it."""

    def command(stage: Stage) -> list[str]:
        arguments = (stage.kafka.bootstrap_servers, TOPIC, str(stage.written.predictions), str(WINDOW_MS), str(REPARTITIONED_PATIENCE_MS))
        return PROGRAM.command(stage, *arguments, str(stage.folder / "kafka-streams-state"))

    return Program("kafka-streams", "Kafka Streams, warm", command)
