"""Rows of a commit, in the shard's own ids: batches of several partitions put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from pipeline.cells import Floats, Ints
from pipeline.columns import ABSENT, Bools, Hashes, Outcomes, Predictions
from pipeline.shard.names import NameTables
from pipeline.shard.records import NO_CLASS

Item = TypeVar("Item")
NO_KEY_SET = -1
"""In `key_set`: the model has too many different sets; the features are counted one by one."""


@dataclass(frozen=True, slots=True)
class PredictionRows:
    """Columns over the predictions of a commit, in the order of reading. `watermark` is the shard's when the row was read."""

    hash: Hashes
    created_at: Ints
    watermark: Ints
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
    sent_row: Ints
    sent_feature: Ints

    def __len__(self) -> int:
        return len(self.created_at)


@dataclass(frozen=True, slots=True)
class OutcomeRows:
    """Columns over the outcomes of a commit. `tie` decides between equal times: partition, then offset."""

    hash: Hashes
    created_at: Ints
    tie: Ints
    profile: Ints
    class_: Ints
    number: Floats
    written_as_float: Bools
    converted: Ints
    revenue: Floats

    def __len__(self) -> int:
        return len(self.created_at)


def prediction_rows(batch: Predictions, watermark: int, names: NameTables) -> PredictionRows:
    """Return the rows of one batch with the shard's ids."""
    key_set = _mapped(batch.key_set, batch.key_sets, lambda one: NO_KEY_SET if (found := names.key_set(one)) is None else found)
    apart = np.flatnonzero(key_set == NO_KEY_SET)
    sent = [(row, key_set) for row in apart.tolist() for key_set in [batch.key_sets[batch.key_set[row]]]]
    pairs = [(row, names.feature(found.model, name)) for row, found in sent for name in found.features]
    return PredictionRows(
        hash=batch.hash,
        created_at=batch.created_at,
        watermark=np.full(len(batch), watermark, dtype=np.int64),
        profile=_mapped(batch.profile, batch.profiles, names.profile),
        key_set=key_set,
        variant=_mapped(batch.variant, batch.variants, lambda pair: names.variant(*pair)),
        class_=_mapped(batch.class_, batch.classes, lambda pair: names.class_(*pair), absent=int(NO_CLASS)),
        number=batch.number,
        written_as_float=batch.written_as_float,
        latency_ms=batch.latency_ms,
        error=batch.error,
        null_row=batch.null_row,
        null_feature=_mapped(batch.null_feature, batch.features, lambda pair: names.feature(*pair)),
        sent_row=np.array([row for row, _ in pairs], dtype=np.int64),
        sent_feature=np.array([feature for _, feature in pairs], dtype=np.int64),
    )


def outcome_rows(batch: Outcomes, partition: int, names: NameTables) -> OutcomeRows:
    """Return the rows of one batch with the shard's ids."""
    return OutcomeRows(
        hash=batch.hash,
        created_at=batch.created_at,
        tie=(np.int64(partition) << 44) | batch.offset,
        profile=_mapped(batch.profile, batch.profiles, names.profile),
        class_=_mapped(batch.class_, batch.classes, lambda pair: names.class_(*pair), absent=int(NO_CLASS)),
        number=batch.number,
        written_as_float=batch.written_as_float,
        converted=batch.converted,
        revenue=batch.revenue,
    )


def joined_predictions(parts: Sequence[PredictionRows]) -> PredictionRows:
    """Return the rows of several batches as one."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0] + [len(part) for part in parts[:-1]])
    columns = {
        name: np.concatenate(
            [
                getattr(part, name) + start if name.endswith("_row") else getattr(part, name)
                for part, start in zip(parts, starts, strict=True)
            ]
        )
        for name in PredictionRows.__slots__
    }
    return PredictionRows(**columns)


def joined_outcomes(parts: Sequence[OutcomeRows]) -> OutcomeRows:
    """Return the rows of several batches as one."""
    if len(parts) == 1:
        return parts[0]
    return OutcomeRows(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in OutcomeRows.__slots__})


def _mapped(positions: Ints, items: Sequence[Item], id_of: Callable[[Item], int], absent: int = ABSENT) -> Ints:
    """Return the ids of the items at `positions`, asking only for the items that occur."""
    used = np.flatnonzero(np.bincount(positions - ABSENT, minlength=1)[1:])
    ids = np.full(len(items) + 1, absent, dtype=np.int64)  # the last one is where ABSENT (-1) points
    ids[used] = [id_of(items[position]) for position in used.tolist()]
    return ids[positions]
