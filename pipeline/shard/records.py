"""What a shard remembers of one prediction id: the prediction, and what is known of its outcome.

A record without an outcome is stored short, since most predictions wait long for theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.cells import Ints
from pipeline.store import items_bytes

HAS_PREDICTION = 1
ANSWER_IS_FLOAT = 2
HAS_LABEL = 4
LABEL_IS_FLOAT = 8
HAS_CONVERTED = 16
HAS_REVENUE = 32
HAS_MORE = 64
"""Outcomes may wait beside the record (`waiting`). A record may say nothing else: its outcome has expired, and others have not."""
HAS_OUTCOME = HAS_LABEL | HAS_CONVERTED | HAS_REVENUE
OUTCOME_FLAGS = {"label": HAS_LABEL, "converted": HAS_CONVERTED, "revenue": HAS_REVENUE}

NO_CLASS = np.uint32(0xFFFFFFFF)
NEVER = np.iinfo(np.int64).min

_PREDICTION_FIELDS = [
    ("flags", "u1"),
    ("created_at", "<i8"),
    ("profile", "<u4"),
    ("variant", "<u4"),
    ("class", "<u4"),
    ("number", "<f8"),
]
# Of each field the outcome that counts is the one with the largest (at, tie).
_OUTCOME_FIELDS = [
    ("label_at", "<i8"),
    ("label_tie", "<i8"),
    ("label_class", "<u4"),
    ("label_number", "<f8"),
    ("converted_at", "<i8"),
    ("converted_tie", "<i8"),
    ("converted", "i1"),
    ("revenue_at", "<i8"),
    ("revenue_tie", "<i8"),
    ("revenue", "<f8"),
]
SHORT = np.dtype(_PREDICTION_FIELDS)
RECORD = np.dtype(_PREDICTION_FIELDS + _OUTCOME_FIELDS)
Records = npt.NDArray[np.void]
"""Structured array of RECORD."""
_EMPTY = np.array((0, 0, 0, 0, NO_CLASS, np.nan, *(NEVER, 0, NO_CLASS, np.nan), *(NEVER, 0, 0), *(NEVER, 0, 0.0)), dtype=RECORD)


def empty_records(count: int) -> Records:
    """Return records of which nothing is known yet."""
    return np.full(count, _EMPTY)


def newest_outcome(records: Records, rows: Ints | slice = slice(None)) -> Ints:
    """Return the time of the newest outcome of each record, or of those at `rows`; NEVER where there is none."""
    newest: Ints = np.maximum.reduce([records[f"{name}_at"][rows] for name in OUTCOME_FLAGS]).astype(np.int64)
    return newest


def unpack(values: Sequence[bytes | None]) -> Records:
    """Return the records stored as `values`, in order; None gives an empty one."""
    records = empty_records(len(values))
    lengths = np.array([0 if value is None else len(value) for value in values], dtype=np.int64)
    for stored in (SHORT, RECORD):
        rows = np.flatnonzero(lengths == stored.itemsize)
        if len(rows):
            found = np.frombuffer(b"".join([value for row in rows.tolist() if (value := values[row])]), dtype=np.uint8)
            _rows(records)[rows, : stored.itemsize] = found.reshape(-1, stored.itemsize)
    return records


def pack(records: Records) -> list[bytes]:
    """Return what to store for each record."""
    long = (records["flags"] & HAS_OUTCOME) != 0
    if not long.any():
        return items_bytes(_rows(records)[:, : SHORT.itemsize])
    shorts, longs = iter(items_bytes(_rows(records)[~long, : SHORT.itemsize])), iter(items_bytes(records[long]))
    return [next(longs) if is_long else next(shorts) for is_long in long.tolist()]


def _rows(records: Records) -> npt.NDArray[np.uint8]:
    """Return the bytes of records, a row each: a short one is the beginning of a whole one."""
    return records.view(np.uint8).reshape(len(records), RECORD.itemsize)
