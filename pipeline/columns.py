"""Columnar batches: what travels from decode to the shards.

Texts are replaced by positions in small lists that travel with the batch (`profiles`, `classes`, ...),
so that a shard translates each distinct text once, not once an event.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints

Bools = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]
"""128-bit hashes of (model, prediction id), shape (n, 2): high and low half."""

_PICKLE_PROTOCOL = 5
ABSENT = -1
"""Stands in a column of positions for a field that is not there."""


class Profile(NamedTuple):
    """Which breakdowns an event belongs to; `segments` are (name, value) pairs, sorted."""

    model: str
    version: str
    segments: tuple[tuple[str, str], ...]


class KeySet(NamedTuple):
    """The names of the features that an event sent, in order."""

    model: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Columns over n predictions.

    `class_` is the position of a predicted text or boolean in `classes` (model, class as JSON text),
    `number` a predicted number or NaN, `written_as_float` whether the JSON number had a point or an exponent.
    `null_row`, `null_feature` list the explicit nulls: row, and position in `features`.
    """

    hash: Hashes
    offset: Ints
    created_at: Ints
    profile: Ints
    key_set: Ints
    variant: Ints
    class_: Ints
    number: Floats
    written_as_float: Bools
    latency_ms: Floats
    error: Bools
    null_row: Ints
    null_feature: Ints
    profiles: list[Profile]
    key_sets: list[KeySet]
    variants: list[tuple[str, str]]
    classes: list[tuple[str, str]]
    features: list[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, rows: Ints) -> Predictions:
        """Return the predictions at the ascending positions `rows`."""
        position = np.full(len(self), ABSENT, dtype=np.int64)
        position[rows] = np.arange(len(rows))
        null_row = position[self.null_row]
        kept = null_row != ABSENT
        columns = {name: getattr(self, name)[rows] for name in PREDICTION_COLUMNS}
        return replace(self, **columns, null_row=null_row[kept], null_feature=self.null_feature[kept])


PREDICTION_COLUMNS = (
    "hash",
    "offset",
    "created_at",
    "profile",
    "key_set",
    "variant",
    "class_",
    "number",
    "written_as_float",
    "latency_ms",
    "error",
)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Columns over n outcomes; `class_` and `number` describe the label as in `Predictions`.

    `converted` is -1 unknown, 0 no, 1 yes; `revenue` is NaN where it was not sent. `profile` names the model alone.
    """

    hash: Hashes
    offset: Ints
    created_at: Ints
    profile: Ints
    class_: Ints
    number: Floats
    written_as_float: Bools
    converted: Ints
    revenue: Floats
    profiles: list[Profile]
    classes: list[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, rows: Ints) -> Outcomes:
        """Return the outcomes at the positions `rows`."""
        return replace(self, **{name: getattr(self, name)[rows] for name in OUTCOME_COLUMNS})


OUTCOME_COLUMNS = ("hash", "offset", "created_at", "profile", "class_", "number", "written_as_float", "converted", "revenue")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a source partition has been read: all offsets below `end`, in this batch from `start`.

    `newest` is the largest event time in this batch, or None; `idle` says that the partition was read to
    its end and nothing has come for a while.
    """

    topic: str
    partition: int
    start: int
    end: int
    newest: int | None
    idle: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """What one shard gets of one batch: always the progress, and its own rows if there are any."""

    shard: int
    progress: Progress
    predictions: Predictions | None = None
    outcomes: Outcomes | None = None


class Delivery(NamedTuple):
    """What a worker sends to a shard: slices of some batches, packed, so that they go to another process as they are."""

    worker: int
    shard: int
    packed: bytes


def pack(slices: list[Slice]) -> bytes:
    """Return slices as bytes."""
    return pickle.dumps(slices, _PICKLE_PROTOCOL)


def unpack(packed: bytes) -> list[Slice]:
    """Return the slices that were packed, by this program alone."""
    slices: list[Slice] = pickle.loads(packed)
    return slices
