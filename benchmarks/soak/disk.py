"""What the parts of a home take on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from schemas.lake import metrics_folder

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes of the shards' and the publisher's RocksDB without write-ahead logs, of these, of DuckDB with its log, and of the lake.

    Also the lake's number of files.
    """

    shards: int
    publisher: int
    logs: int
    duckdb: int
    lake: int
    lake_files: int


def disk(home: Path) -> Disk:
    """Return the sizes of a home that is in use."""
    state = home / "state"
    lake = _sizes(metrics_folder(home).rglob("*"))
    return Disk(
        shards=sum(_sizes(state.glob("shard-*/*.sst"))),
        publisher=sum(_sizes((state / "publisher").glob("*.sst"))),
        logs=sum(_sizes(state.glob("*/*.log"))),
        duckdb=sum(_sizes(home.glob("tower.duckdb*"))),
        lake=sum(lake),
        lake_files=len(lake),
    )


def _sizes(paths: Iterable[Path]) -> list[int]:
    """Return the bytes on disk of each file; one that is deleted meanwhile is left out."""
    found = []
    for path in paths:
        try:
            if path.is_file():
                found.append(path.stat().st_blocks * _BLOCK)
        except FileNotFoundError:
            continue
    return found
