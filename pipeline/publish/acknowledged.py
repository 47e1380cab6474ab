"""What the publisher tells the shards, which may be in other processes: which of their commits it has stored."""

from __future__ import annotations

from pathlib import Path

import orjson

from schemas.files import replace_file


def acknowledged_file(home: Path) -> Path:
    """Return the file that tells the shards which of their commits the publisher has stored."""
    return home / "state" / "acknowledged.json"


def write_acknowledged(file: Path, sequences: dict[int, int]) -> None:
    """Write the file that `read_acknowledged` reads."""
    replace_file(file, orjson.dumps({str(shard): sequence for shard, sequence in sequences.items()}))


def read_acknowledged(file: Path, shard: int) -> int:
    """Return the last commit of a shard that the publisher has stored; 0 when it has none."""
    try:
        return int(orjson.loads(file.read_bytes()).get(str(shard), 0))
    except FileNotFoundError:
        return 0
