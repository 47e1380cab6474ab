"""Forgetting records after the label horizon, without looking at all of them.

Each commit notes its new records under the hour in which they expire; what is due is read from the front of that list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cells import Ints
from pipeline.columns import Hashes
from pipeline.shard import records as r
from pipeline.shard.records import Records, unpack
from pipeline.shard.seen import SeenIds
from pipeline.shard.state import EXPIRY, RECORDS
from pipeline.store import Batch, Store, items_bytes

HOUR_MS = 3_600_000
KEY_BYTES = 16
IDS_AT_ONCE = 100_000
"""More than a commit can add, so that expiry keeps up with any log; bounded, so that a commit stays short."""
_NOTED_AGAIN = b"\x01"
"""Ends the key of a note that expiry makes, which else were that of a note of the same commit."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Records that were dropped: their keys, how many were of predictions, and outcomes whose prediction never came (profile, time)."""

    keys: frozenset[bytes]
    predictions: int
    outcome_profile: Ints
    outcome_at: Ints


def record_keys(hashes: Hashes) -> list[bytes]:
    """Return the keys under which records are stored."""
    return items_bytes(hashes.astype(">u8"))


def expires_at(records: Records, horizon_ms: Ints) -> Ints:
    """Return the event time after which each record is not needed: its prediction's, else its newest outcome's, plus the horizon."""
    due: Ints = records["created_at"].astype(np.int64)
    alone = np.flatnonzero((records["flags"] & r.HAS_PREDICTION) == 0)
    due[alone] = r.newest_outcome(records[alone])
    due += horizon_ms[records["profile"]]
    return due


def noted_ids(store: Store) -> SeenIds:
    """Return the ids of all records, from the notes: each record is in one."""
    seen = SeenIds()
    for key, value in store.scan(EXPIRY):
        hashes = np.frombuffer(value, dtype=">u8").astype(np.uint64).reshape(-1, 2)
        seen.add(hashes, int.from_bytes(key[:8], "big") * HOUR_MS)
    return seen


class ExpiryNotes:
    """The notes of a store: which records may be due at which hour.

    It remembers from which key on there are any. A scan from the beginning would step over all that were dropped until they are
    compacted: of one hour these are 25 000, and cost each commit 2.6 ms.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._first = b""

    def add(self, batch: Batch, sequence: int, hashes: Hashes, due: Ints, *, suffix: bytes = b"") -> None:
        """Note when the records of this commit expire."""
        if not len(due):
            return  # NumPy splits nothing into one part
        hour = due // HOUR_MS + 1
        order = np.argsort(hour, kind="stable")
        hours, starts = np.unique(hour[order], return_index=True)
        for value, rows in zip(hours.tolist(), np.split(order, starts[1:]), strict=True):
            key = value.to_bytes(8, "big") + sequence.to_bytes(8, "big") + suffix
            batch.put(EXPIRY, key, hashes[rows].astype(">u8").tobytes())
            self._first = min(self._first, key)

    def expire(self, batch: Batch, sequence: int, now: int, horizon_ms: Ints, *, ids_at_once: int = IDS_AT_ONCE) -> Expired | None:
        """Drop what is due at event time `now`; of that the oldest notes, until they hold `ids_at_once`."""
        end = (now // HOUR_MS + 1).to_bytes(8, "big") if now > 0 else bytes(8)
        notes: list[bytes] = []
        data = bytearray()
        for key, value in self._store.scan(EXPIRY, self._first, end):
            notes.append(key)
            data += value
            if len(data) >= ids_at_once * KEY_BYTES:
                self._first = key
                break
        else:
            self._first = max(self._first, end)
        if not notes:
            return None
        noted = bytes(data)
        keys = sorted({noted[start : start + KEY_BYTES] for start in range(0, len(noted), KEY_BYTES)})
        records = unpack(self._store.get_all(RECORDS, keys))
        due = expires_at(records, horizon_ms)
        known = records["flags"] != 0
        is_gone = known & (due < now)
        gone_keys = [key for key, gone in zip(keys, is_gone.tolist(), strict=True) if gone]
        batch.delete_all(RECORDS, gone_keys)
        batch.delete_all(EXPIRY, notes)
        # Used again since, or the configured horizon has become longer: without a note the record would stay for ever.
        later = np.flatnonzero(known & ~is_gone)
        if len(later):
            hashes = np.frombuffer(b"".join([keys[row] for row in later.tolist()]), dtype=">u8").astype(np.uint64).reshape(-1, 2)
            self.add(batch, sequence, hashes, due[later], suffix=_NOTED_AGAIN)
        gone = records[is_gone]
        alone = gone[(gone["flags"] & r.HAS_PREDICTION) == 0]
        at = r.newest_outcome(alone)
        return Expired(frozenset(gone_keys), len(gone) - len(alone), alone["profile"].astype(np.int64), at.astype(np.int64))
