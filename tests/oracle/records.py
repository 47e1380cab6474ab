"""What a log holds: records at exact offsets, and how drafts of them are laid out over partitions."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Defect:
    """Why a record belongs in the dead letters.

    `path` begins the JSON path that the header of that name must hold, and `reason` is a text that
    must occur in path and reason together: what the contract words exactly, or a missing field's name.
    """

    name: str
    path: str = "$"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A record without a place. Drafts reach the log in order of `arrival` (epoch ms).

    Drafts of one non-empty `pin` share a partition, because the contract orders them by offset;
    all others may lie in any partition without any number changing.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    arrival: int
    pin: str = ""
    defect: Defect | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A record at its place in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    defect: Defect | None = None


class Order(StrEnum):
    """In which order the topics are written; the offsets are the same in all of them."""

    ARRIVAL = "interleaved"
    PREDICTIONS_FIRST = "predictions first"
    OUTCOMES_FIRST = "outcomes first"


def lay_out(drafts: Iterable[Draft], partitions: dict[str, int], seed: int) -> list[Record]:
    """Place each draft in a random one of its topic's `partitions`, in order of arrival."""
    return list(_placed(sorted(drafts, key=lambda draft: draft.arrival), partitions, random.Random(seed)))


def _placed(drafts: list[Draft], partitions: dict[str, int], rng: random.Random) -> Iterator[Record]:
    pinned: dict[tuple[str, str], int] = {}
    ends: dict[tuple[str, int], int] = {}
    for draft in drafts:
        partition = rng.randrange(partitions[draft.topic])
        if draft.pin:
            partition = pinned.setdefault((draft.topic, draft.pin), partition)
        offset = ends.get((draft.topic, partition), 0)
        ends[draft.topic, partition] = offset + 1
        yield Record(draft.topic, partition, offset, draft.key, draft.value, draft.defect)


def in_order(records: list[Record], order: Order) -> list[Record]:
    """Return the records in the order of writing; within a partition nothing moves."""
    if order is Order.ARRIVAL:
        return records
    first = "predictions" if order is Order.PREDICTIONS_FIRST else "outcomes"
    return sorted(records, key=lambda record: record.topic != first)
