"""Forgetting records after the label horizon, without looking at all of them.

Each commit notes its new records under the hour in which they expire; what is due is read from the front of that list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.cells import Ints
from pipeline.columns import Hashes
from pipeline.shard import records as r
from pipeline.shard.records import Records, empty_records, pack, unpack
from pipeline.shard.seen import SeenIds
from pipeline.shard.state import EXPIRY, RECORDS
from pipeline.shard.waiting import Waiting
from pipeline.store import Batch, Store, items_bytes

HOUR_MS = 3_600_000
KEY_BYTES = 16
IDS_AT_LEAST = 10_000
"""A commit drops so many ids: it stays short, for others wait to be published. One that adds many drops twice what it adds, so that expiry
keeps up with any log."""
_IDS_A_NOTE = 5_000
_NOTED_AGAIN = b"\x01"
"""Ends the key of a note that expiry makes, which else were that of a note of the same commit."""
OF_ENTRIES = b"\x02"
"""The same for outcomes that wait beside a record."""


Written = Iterable[tuple[bytes, bytes]]
"""Records by key, as they are stored."""


@dataclass(frozen=True, slots=True)
class Expired:
    """What was dropped: how many predictions, and outcomes whose prediction never came (profile, time).

    `noted` are ids that stay, until `noted_until`.
    """

    predictions: int
    outcome_profile: Ints
    outcome_at: Ints
    noted: Hashes
    noted_until: Ints


def record_keys(hashes: Hashes) -> list[bytes]:
    """Return the keys under which records are stored."""
    return items_bytes(hashes.astype(">u8"))


def expires_at(records: Records, horizon_ms: Ints) -> Ints:
    """Return the event time after which each record is not needed: its prediction's, else its outcome's, plus the horizon."""
    due: Ints = records["created_at"].astype(np.int64)
    alone = np.flatnonzero((records["flags"] & r.HAS_PREDICTION) == 0)
    due[alone] = r.newest_outcome(records[alone])
    due += horizon_ms[records["profile"]]
    return due


def noted_ids(store: Store) -> SeenIds:
    """Return the ids of all records, from the notes: each record is in one."""
    seen = SeenIds()
    for key, value in store.scan(EXPIRY):
        seen.add(_hashes(value), int.from_bytes(key[:8], "big") * HOUR_MS)
    return seen


class ExpiryNotes:
    """The notes of a store: which records may be due at which hour.

    It remembers from which key on there are any. A scan from the beginning would step over all that were dropped until they are
    compacted: of one hour these are 25 000, and cost each commit 2.6 ms.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._first = b""

    @property
    def done_until(self) -> int:
        """Event time up to which all that was noted to be due has been looked at."""
        return (int.from_bytes(self._first[:8], "big") - 1) * HOUR_MS

    def any_due(self, now: int) -> bool:
        """Return whether there is more to take: not all was taken at once, or what was noted since was due by then."""
        return self._first < _end(now)

    def any_left(self, now: int) -> bool:
        """Return whether the run before has left any that are due: it may have been in a hurry, or was killed."""
        return any(True for _ in self._store.scan(EXPIRY, b"", _end(now)))

    def add(self, batch: Batch, sequence: int, hashes: Hashes, due: Ints, *, suffix: bytes = b"") -> None:
        """Note when the records of this commit expire."""
        if not len(due):
            return  # NumPy splits nothing into one part
        hour = due // HOUR_MS + 1
        order = np.argsort(hour, kind="stable")
        hours, starts = np.unique(hour[order], return_index=True)
        for value, rows in zip(hours.tolist(), np.split(order, starts[1:]), strict=True):
            key = value.to_bytes(8, "big") + sequence.to_bytes(8, "big") + suffix
            for part, first in enumerate(range(0, len(rows), _IDS_A_NOTE)):
                batch.put(EXPIRY, key + part.to_bytes(2, "big"), hashes[rows[first : first + _IDS_A_NOTE]].astype(">u8").tobytes())
            self._first = min(self._first, key)

    def take_due(self, batch: Batch, now: int, at_most: int) -> list[bytes]:
        """Take the oldest notes of what may be due at event time `now`, until they hold `at_most` ids; return their keys, ascending."""
        end = _end(now)
        notes: list[bytes] = []
        data = bytearray()
        for key, value in self._store.scan(EXPIRY, self._first, end):
            notes.append(key)
            data += value
            if len(data) >= at_most * KEY_BYTES:
                self._first = key
                break
        else:
            self._first = max(self._first, end)
        batch.delete_all(EXPIRY, notes)
        noted = bytes(data)
        return sorted({noted[start : start + KEY_BYTES] for start in range(0, len(noted), KEY_BYTES)})

    def drop(
        self,
        batch: Batch,
        sequence: int,
        now: int,
        keys: list[bytes],
        horizon_ms: Ints,
        written: Written,
        waiting: Waiting,
        entries: int,
    ) -> Expired:
        """Drop of what was noted the records and the entries that are due, each by its own time; at most so many `entries`.

        `written` is what the batch has put already: this comes after the join, so that nothing is dropped that was read in time.
        """
        records = self._records(keys, written)
        due, horizon = expires_at(records, horizon_ms), horizon_ms[records["profile"]]
        known = records["flags"] != 0
        is_gone = known & (due < now)
        more = np.flatnonzero((records["flags"] & r.HAS_MORE) != 0)
        dropped = waiting.drop(_of(keys, more), now - horizon[more], entries)
        has_left = dropped.left != r.NEVER
        rest = more[has_left]
        batch.delete_all(RECORDS, _of(keys, np.flatnonzero(is_gone)))
        # Where entries are left, something must tell that they are there.
        bare = rest[is_gone[rest]]
        marks = empty_records(len(bare))
        marks["flags"], marks["profile"] = r.HAS_MORE, records["profile"][bare]
        batch.put_all(RECORDS, _of(keys, bare), pack(marks))
        # Used again since, not all at once, or the configured horizon has become longer: without a note they would stay for ever.
        later = np.flatnonzero(known & ~is_gone)
        noted = _hashes(b"".join(_of(keys, np.concatenate([later, rest]))))
        noted_until = np.concatenate([due[later], dropped.left[has_left] + horizon[rest]])
        self.add(batch, sequence, noted, noted_until, suffix=_NOTED_AGAIN)
        gone = records[is_gone]
        predicted = (gone["flags"] & r.HAS_PREDICTION) != 0
        lost = np.concatenate([gone[~predicted & ((gone["flags"] & r.HAS_OUTCOME) != 0)], dropped.records])
        return Expired(int(predicted.sum()), lost["profile"].astype(np.int64), r.newest_outcome(lost), noted, noted_until)

    def _records(self, keys: list[bytes], written: Written) -> Records:
        stored = self._store.get_all(RECORDS, keys)
        wanted = set(keys)
        newer = {key: value for key, value in written if key in wanted}
        return unpack([newer.get(key, value) for key, value in zip(keys, stored, strict=True)])


def _end(now: int) -> bytes:
    """Return the key behind the notes of what may be due at event time `now`."""
    return (now // HOUR_MS + 1).to_bytes(8, "big") if now > 0 else bytes(8)


def _of(keys: list[bytes], rows: Ints) -> list[bytes]:
    return [keys[row] for row in rows.tolist()]


def _hashes(keys: bytes) -> Hashes:
    return np.frombuffer(keys, dtype=">u8").astype(np.uint64).reshape(-1, 2)
