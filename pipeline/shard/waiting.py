"""Outcomes that wait for a prediction: of an id the record holds one of them, and all others are entries of their own beside it.

Which of them count is known when the prediction is: those within the horizon of it, of each field the newest. An earlier one may count
where a later one is too far away, so none is dropped for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.cells import Ints
from pipeline.columns import Bools, Hashes
from pipeline.shard import records as r
from pipeline.shard.records import Records, empty_records, newest_outcome, pack, unpack
from pipeline.shard.rows import OutcomeRows
from pipeline.shard.state import WAITING
from pipeline.store import Batch, Store, items_bytes

_ID_BYTES = 16
_AFTER_ALL = b"\xff" * 16


def carried(rows: OutcomeRows) -> dict[str, Bools]:
    """Return for each field which outcomes carry it."""
    is_label = ~np.isnan(rows.number) | (rows.class_ != r.NO_CLASS)
    return {"label": is_label, "converted": rows.converted >= 0, "revenue": ~np.isnan(rows.revenue)}


def as_records(rows: OutcomeRows, which: Ints) -> Records:
    """Return some of the outcomes as records without a prediction, one each."""
    records = empty_records(len(which))
    put_alone(records, np.arange(len(which)), rows, which)
    return records


def put_alone(records: Records, at: Ints, rows: OutcomeRows, which: Ints) -> None:
    """Put some of the outcomes into the records `at`, one each, which are empty."""
    records["profile"][at] = rows.profile[which]
    for name, carries in carried(rows).items():
        held = np.flatnonzero(carries[which])
        target, row = at[held], which[held]
        records["flags"][target] |= np.uint8(r.OUTCOME_FLAGS[name])
        records[f"{name}_at"][target], records[f"{name}_tie"][target] = rows.created_at[row], rows.tie[row]
        if name == "label":
            records["label_class"][target], records["label_number"][target] = rows.class_[row], rows.number[row]
            records["flags"][target[rows.written_as_float[row]]] |= np.uint8(r.LABEL_IS_FLOAT)
        else:
            records[name][target] = (rows.converted if name == "converted" else rows.revenue)[row]


def as_rows(records: Records, hashes: Hashes) -> OutcomeRows:
    """Return the outcomes that `as_records` made to records."""
    flags = records["flags"]
    return OutcomeRows(
        hash=hashes,
        created_at=newest_outcome(records),
        tie=_tie(records),
        profile=records["profile"].astype(np.int64),
        class_=records["label_class"].astype(np.int64),
        number=records["label_number"],
        written_as_float=(flags & r.LABEL_IS_FLOAT) != 0,
        converted=np.where((flags & r.HAS_CONVERTED) != 0, records["converted"], -1).astype(np.int64),
        revenue=np.where((flags & r.HAS_REVENUE) != 0, records["revenue"], np.nan),
    )


@dataclass(frozen=True, slots=True)
class Dropped:
    """Entries that were dropped, as records; `left` is by id the time of the earliest entry that it keeps, or NEVER."""

    records: Records
    left: Ints


class Waiting:
    """The entries of a store within one commit, by id and event time. What the batch changes is not seen in the store yet."""

    def __init__(self, store: Store, batch: Batch) -> None:
        self._store = store
        self._batch = batch
        self._put: set[bytes] = set()
        self._recalled: set[bytes] = set()

    def put(self, hashes: Hashes, records: Records) -> None:
        """Let outcomes wait, each as its own entry."""
        keys = _keys(hashes, newest_outcome(records), _tie(records))
        self._batch.put_all(WAITING, keys, pack(records))
        self._put |= {key[:_ID_BYTES] for key in keys}

    def recall(self, hashes: Hashes, served: Records, horizon_ms: Ints) -> tuple[OutcomeRows, Ints]:
        """Take out what waits within the horizon of each prediction `served`; return it with the position of each one's prediction."""
        horizon = horizon_ms[served["profile"]]
        earliest, after = np.maximum(served["created_at"] - horizon, 0), served["created_at"] + horizon + 1
        values: list[bytes | None] = []
        of: list[int] = []
        for position, (first, end) in enumerate(zip(_keys(hashes, earliest), _keys(hashes, after), strict=True)):
            for key, value in self._store.scan(WAITING, first, end):
                self._recalled.add(key)
                values.append(value)
                of.append(position)
        self._batch.delete_all(WAITING, list(self._recalled))
        positions = np.array(of, dtype=np.int64)
        return as_rows(unpack(values), hashes[positions]), positions

    def drop(self, ids: Sequence[bytes], before: Ints, at_most: int) -> Dropped:
        """Drop the entries of each id that are earlier than its time `before`, the earliest first, and `at_most` of all."""
        dropped: dict[bytes, bytes] = {}
        left = np.full(len(ids), r.NEVER)
        for position, (id_, end) in enumerate(zip(ids, before.tolist(), strict=True)):
            for key, value in self._store.scan(WAITING, id_, id_ + _AFTER_ALL):
                if key in self._recalled:
                    continue
                at = int.from_bytes(key[_ID_BYTES : _ID_BYTES + 8], "big")
                if at >= end or len(dropped) >= at_most:
                    left[position] = at
                    break
                dropped[key] = value
            if left[position] == r.NEVER and id_ in self._put:
                left[position] = end  # it is looked at again when they can be seen
        self._batch.delete_all(WAITING, list(dropped))
        return Dropped(unpack(list(dropped.values())), left)


def _tie(records: Records) -> Ints:
    tie: Ints = np.maximum.reduce([records[f"{name}_tie"] for name in r.OUTCOME_FLAGS]).astype(np.int64)
    return tie


def _keys(hashes: Hashes, at: Ints, tie: Ints | int = 0) -> list[bytes]:
    """Return the keys of entries: they ascend as the event times of an id do."""
    keys = np.empty((len(hashes), 4), dtype=">u8")
    keys[:, :2], keys[:, 2], keys[:, 3] = hashes, at, tie
    return items_bytes(keys)
