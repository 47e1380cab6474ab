"""What is looked at, and how much of it is no growth."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Quantity:
    """One line of the table. `unit` is what one of what is shown is (MiB: 1048576 bytes).

    A rise of up to `slack` (in what is sampled) is never growth: one file more of four is 25 %. What has no slack is shown and not judged.
    """

    name: str
    slack: float | None
    unit: float = 1.0

    def shown(self, value: float) -> str:
        """Return a value as the table has it."""
        scaled = value / self.unit
        return f"{scaled:,.0f}" if abs(scaled) >= 100 or scaled == round(scaled) else f"{scaled:,.1f}"


QUANTITIES: dict[str, Quantity] = {
    "pipeline_rss": Quantity("pipeline, resident memory, MiB", 8 * MIB, MIB),
    "pipeline_anonymous": Quantity("of it not mapped from files, MiB", 8 * MIB, MIB),
    "pipeline_files": Quantity("pipeline, open files", 4),
    "pipeline_threads": Quantity("pipeline, threads", 1),
    "loadgen_rss": Quantity("load generator, resident memory, MiB", 8 * MIB, MIB),
    "shards": Quantity("RocksDB of the shards, MiB", 4 * MIB, MIB),
    "publisher": Quantity("RocksDB of the publisher, MiB", 4 * MIB, MIB),
    "logs": Quantity("their write-ahead logs (at most 32 MiB a store, and one being written), MiB", None, MIB),
    "duckdb": Quantity("DuckDB with its log, MiB", 4 * MIB, MIB),
    "lake": Quantity("lake, MiB", 4 * MIB, MIB),
    "lake_files": Quantity("lake, files", 4),
    "lag": Quantity("events that Kafka holds and the pipeline has not taken", 50_000),
    "pending": Quantity("predictions held", 50_000),
    "expired": Quantity("predictions that have expired", None),
    "gap": Quantity("longest time without a message on tower.metrics, s", 1.0),
    "load": Quantity("load of the machine, a core", None),
}
"""In the order of the table; the keys are the fields of a sample."""
