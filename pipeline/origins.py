"""Which topics a home has read, and from where on: so another topic in their place, or events dropped before they were read, are told.

Offsets alone do not tell it: a topic that is made anew counts them from 0 again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from pipeline.reading.pace import Position
from pipeline.reading.partition import lost, note_loss
from schemas.errors import LogTruncated
from schemas.files import replace_file

_MEND = "set pipeline.accept_loss = true (TOWER_PIPELINE__ACCEPT_LOSS=true) to go on"


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """What Kafka has of a topic: its id ('' where Kafka gives none), and of each partition the first offset and the end."""

    id: str
    kept: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Origins:
    """The ids of the topics that a home reads, and of each partition the first offset that it was to read."""

    ids: Mapping[str, str] = field(default_factory=dict)
    began: Mapping[Position, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WayOn:
    """Where each partition goes on; before that the shards must forget how far they were in topics that are `another`, or behind `ends`."""

    start: dict[Position, int]
    origins: Origins
    another: frozenset[str]
    ends: dict[Position, int]


def way_on(committed: Sequence[Mapping[Position, int]], origins: Origins, topics: Mapping[str, KafkaTopic], *, accept_loss: bool) -> WayOn:
    """Return where to go on; `committed` holds how far each shard is. Raises LogTruncated unless `accept_loss`, when events are missing."""
    start: dict[Position, int] = {}
    began: dict[Position, int] = {}
    ends: dict[Position, int] = {}
    another = frozenset(name for name, topic in topics.items() if _is_another(name, topic, committed, origins))
    read = {name for progress in committed for name, _ in progress}
    for name, topic in topics.items():
        if name in another & read and not accept_loss:
            raise LogTruncated(f"{name} was made anew: it is not the topic that was read here", f"use a new TOWER_HOME for it, or {_MEND}")
        for partition, (low, high) in topic.kept.items():
            position = (name, partition)
            # A partition that a known topic has got since then was to be read from its beginning.
            began[position] = low if name in another else origins.began.get(position, 0 if name in origins.ids else low)
            offsets = [began[position] if name in another else progress.get(position, began[position]) for progress in committed]
            if max(offsets) > high:
                if not accept_loss:
                    raise LogTruncated(
                        f"{name}/{partition} was read up to offset {max(offsets)}, but Kafka has lost its end from {high} on", _MEND
                    )
                ends[position] = high
            start[position] = _from(position, [min(offset, high) for offset in offsets], low, accept_loss)
    return WayOn(start, Origins({name: topic.id for name, topic in topics.items()}, began), another, ends)


def _is_another(name: str, topic: KafkaTopic, committed: Sequence[Mapping[Position, int]], origins: Origins) -> bool:
    """Say whether a topic is not the one of that name that was read. Without ids only an end before what was read tells it."""
    known = origins.ids.get(name, "")
    if known and topic.id:
        return known != topic.id
    ends = {(name, partition): end for partition, (_, end) in topic.kept.items()}
    return any(offset > ends.get(position, offset) for progress in committed for position, offset in progress.items())


def _from(position: Position, offsets: Sequence[int], low: int, accept_loss: bool) -> int:
    behind = [shard for shard, offset in enumerate(offsets) if offset < low]
    if not behind:
        return min(offsets)
    if not accept_loss:
        raise lost(*position, min(offsets), "" if len(behind) == len(offsets) else f" by shard {', '.join(map(str, behind))}")
    note_loss(*position, min(offsets), low)
    return low


def origins_file(home: Path) -> Path:
    """Return the file of a home's origins."""
    return home / "state" / "topics.json"


def read_origins(home: Path) -> Origins:
    """Return what is stored; nothing in a new home."""
    file = origins_file(home)
    if not file.exists():
        return Origins()
    stored = orjson.loads(file.read_bytes())
    return Origins(stored["ids"], {(name, partition): offset for name, partition, offset in stored["began"]})


def store_origins(home: Path, origins: Origins) -> None:
    """Store them where they have changed."""
    if origins != read_origins(home):
        began = [(*position, offset) for position, offset in origins.began.items()]
        replace_file(origins_file(home), orjson.dumps({"ids": origins.ids, "began": began}), lasting=True)
