"""Which reader a file needs: its name says it."""

from __future__ import annotations

from pathlib import Path

from loadgen.replay.columnar import CsvTable, ParquetTable
from loadgen.replay.lines import LineTable
from loadgen.replay.table import Table
from schemas.errors import ConfigurationError, TowerError


def open_table(path: Path) -> Table:
    """Return the table in the file `path`.

    Raises ConfigurationError when there is no such file or its format is unknown, TowerError when it is empty or broken.
    """
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}", "check the path")
    name = path.name.lower()
    bare = name.removesuffix(".gz")
    if not (bare.endswith((".ndjson", ".jsonl", ".json", ".csv", ".tsv")) or name.endswith((".parquet", ".pq"))):
        raise ConfigurationError(f"the format of {path.name} is unknown", "name it .parquet, .csv, .tsv, .ndjson or .jsonl (text also .gz)")
    if path.stat().st_size == 0:
        raise TowerError(f"{path.name} is empty", "give a file with at least one row")
    if name.endswith((".parquet", ".pq")):
        return ParquetTable(path)
    return CsvTable(path) if bare.endswith((".csv", ".tsv")) else LineTable(path)
