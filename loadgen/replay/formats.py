"""Which reader a file needs: its name says it."""

from __future__ import annotations

from pathlib import Path

from loadgen.replay.delimited import CsvTable
from loadgen.replay.lines import LineTable
from loadgen.replay.parquet import ParquetTable
from loadgen.replay.table import Table, Watch, nobody_watches
from schemas.errors import ConfigurationError, TowerError

_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".tsv")
_LINES = (".ndjson", ".jsonl", ".json")


def check_file(path: Path) -> None:
    """Raise ConfigurationError when `path` is no file of a known format, TowerError when it is empty."""
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file", "name a .parquet, .csv or .ndjson file")
    name = path.name.lower()
    if not name.endswith(_PARQUET) and not name.removesuffix(".gz").endswith((*_CSV, *_LINES)):
        raise ConfigurationError(f"the format of {path.name} is unknown", "name it .parquet, .csv, .tsv, .ndjson or .jsonl (text also .gz)")
    if path.stat().st_size == 0:
        raise TowerError(f"{path.name} is empty", "give a file with at least one row")


def open_table(path: Path, watch: Watch = nobody_watches) -> Table:
    """Return the table in the file `path`; `watch` is called while it is looked through for its types.

    Raises ConfigurationError when there is no such file or its format is unknown, TowerError when it is empty or broken.
    """
    check_file(path)
    name = path.name.lower()
    if name.endswith(_PARQUET):
        return ParquetTable(path)
    return CsvTable(path, watch) if name.removesuffix(".gz").endswith(_CSV) else LineTable(path)
