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
from pipeline.store import Batch, Store

HOUR_MS = 3_600_000
KEY_BYTES = 16
_MOST_NOTES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Expired:
    """Records that were dropped: those of predictions, and outcomes whose prediction never came (profile, time)."""

    predictions: int
    outcome_profile: Ints
    outcome_at: Ints


def record_keys(hashes: Hashes) -> list[bytes]:
    """Return the keys under which records are stored."""
    data = hashes.astype(">u8").tobytes()
    return [data[start : start + KEY_BYTES] for start in range(0, len(data), KEY_BYTES)]


def expires_at(records: Records, horizon_ms: Ints) -> Ints:
    """Return the event time after which each record is not needed: its prediction's, else its newest outcome's, plus the horizon."""
    newest = np.maximum.reduce([records[f"{name}_at"] for name in ("label", "converted", "revenue")])
    base = np.where((records["flags"] & r.HAS_PREDICTION) != 0, records["created_at"], newest)
    due: Ints = base.astype(np.int64) + horizon_ms[records["profile"]]
    return due


def note(batch: Batch, sequence: int, hashes: Hashes, due: Ints) -> None:
    """Note when the records of this commit expire."""
    if not len(due):
        return  # NumPy splits nothing into one part
    hour = due // HOUR_MS + 1
    order = np.argsort(hour, kind="stable")
    hours, starts = np.unique(hour[order], return_index=True)
    for value, rows in zip(hours.tolist(), np.split(order, starts[1:]), strict=True):
        batch.put(EXPIRY, value.to_bytes(8, "big") + sequence.to_bytes(8, "big"), hashes[rows].astype(">u8").tobytes())


def noted_ids(store: Store) -> SeenIds:
    """Return the ids of all records, from the notes: each record is in one."""
    seen = SeenIds()
    for key, value in store.scan(EXPIRY):
        hashes = np.frombuffer(value, dtype=">u8").astype(np.uint64).reshape(-1, 2)
        seen.add(hashes, int.from_bytes(key[:8], "big") * HOUR_MS)
    return seen


def expire(store: Store, batch: Batch, now: int, horizon_ms: Ints) -> Expired | None:
    """Drop what is due at event time `now`: at most a bounded part of it, so that a commit stays short."""
    end = (now // HOUR_MS + 1).to_bytes(8, "big") if now > 0 else bytes(8)
    notes: list[tuple[bytes, bytes]] = []
    for found in store.scan(EXPIRY, end=end):
        notes.append(found)
        if len(notes) == _MOST_NOTES_AT_ONCE:
            break
    if not notes:
        return None
    data = b"".join(value for _, value in notes)
    keys = sorted({data[start : start + KEY_BYTES] for start in range(0, len(data), KEY_BYTES)})
    records = unpack(store.get_all(RECORDS, keys))
    due = (records["flags"] != 0) & (expires_at(records, horizon_ms) < now)
    batch.delete_all(RECORDS, [key for key, gone in zip(keys, due.tolist(), strict=True) if gone])
    batch.delete_all(EXPIRY, [key for key, _ in notes])
    gone = records[due]
    alone = gone[(gone["flags"] & r.HAS_PREDICTION) == 0]
    at = np.maximum.reduce([alone[f"{name}_at"] for name in ("label", "converted", "revenue")])
    return Expired(len(gone) - len(alone), alone["profile"].astype(np.int64), at.astype(np.int64))
