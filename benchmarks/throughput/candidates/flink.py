"""Flink SQL in a local cluster, with one task and with two: the second run in one JVM, since the first one pays for warming up."""

from __future__ import annotations

from benchmarks.throughput.candidate import Program, Stage
from benchmarks.throughput.candidates.java import JavaProgram
from benchmarks.throughput.job import PATIENCE_MS, TOPIC, WINDOW_MS

PROGRAM = JavaProgram(
    name="Flink SQL",
    version="2.3.0",
    main_class="FlinkSqlWindows",
    sources=("FlinkSqlWindows", "Report"),
    needs=(
        "org.apache.flink:flink-table-planner-loader:2.3.0",
        "org.apache.flink:flink-table-runtime:2.3.0",
        "org.apache.flink:flink-table-api-java-bridge:2.3.0",
        "org.apache.flink:flink-clients:2.3.0",
        "org.apache.flink:flink-json:2.3.0",
        "org.apache.flink:flink-connector-base:2.3.0",
        "org.apache.flink:flink-sql-connector-kafka:4.0.1-2.0",
    ),
    # Flink's serializers look into collections of the JDK.
    options=("--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED"),
)
FLINK = ("flink", "flink-2")


def flink() -> list[Program]:
    """Return both."""
    return [_flink(FLINK[0], 1), _flink(FLINK[1], 2)]


def _flink(key: str, parallelism: int) -> Program:
    def command(stage: Stage) -> list[str]:
        arguments = (stage.kafka.bootstrap_servers, TOPIC, str(WINDOW_MS), str(PATIENCE_MS), str(parallelism))
        return PROGRAM.command(stage, *arguments)

    return Program(key, f"Flink SQL, warm, parallelism {parallelism}", command, interpolated=True)
