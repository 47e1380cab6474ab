"""What a commit adds to the panes: cells by profile and event time.

A correction takes back what the earlier outcome had added and adds what the new one does, so the panes move with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas

from pipeline.cells import FIELD_BITS, Floats, Ints, Keys, Kind, cell_keys, latency_buckets
from pipeline.exact import limbs
from pipeline.panes import START_BITS, START_UNIT_MS
from pipeline.shard import records as r
from pipeline.shard.records import Records
from pipeline.shard.rows import NO_KEY_SET, PredictionRows

CLASS_TASKS = (1, 2)
REGRESSION = 3
ClassIds = Callable[[Ints, Floats, "np.ndarray[tuple[int], np.dtype[np.bool_]]"], Ints]
"""Class ids of numbers: (profile, number, written as float) -> id."""


@dataclass(frozen=True, slots=True)
class Delta:
    """Cells to add: columns profile, event time, cell, value."""

    profile: Ints
    created_at: Ints
    cell: Keys
    value: Floats

    def __len__(self) -> int:
        return len(self.profile)


def concatenated(parts: list[Delta]) -> Delta:
    """Return several deltas as one."""
    return Delta(*(np.concatenate([getattr(part, name) for part in parts]) for name in Delta.__slots__))


def prediction_deltas(rows: PredictionRows, counted: Ints, repeated: Ints) -> list[Delta]:
    """Return what predictions add: those that count, and those that are repeats; summed by profile and shortest window."""
    slot_of, slots = pandas.factorize((rows.profile << START_BITS) | (rows.created_at // START_UNIT_MS))
    profile, start = slots >> START_BITS, (slots & ((1 << START_BITS) - 1)) * START_UNIT_MS
    is_counted = np.zeros(len(rows), dtype=bool)
    is_counted[counted] = True

    def one(at: Ints, kind: Kind, value: Floats | None = None) -> Delta:
        """Sum a cell that has no parts: one a slot."""
        slot = slot_of[at]
        total = np.bincount(slot, value, len(slots)).astype(np.float64)
        found = np.flatnonzero(np.bincount(slot, minlength=len(slots)))
        return Delta(profile[found], start[found], np.broadcast_to(cell_keys(kind), found.shape), total[found])

    def counts(at: Ints, kind: Kind, a: Ints) -> Delta:
        """Count by the cell's first part."""
        code_of, found = pandas.factorize((slot_of[at] << FIELD_BITS) | a)
        slot = found >> FIELD_BITS
        return Delta(profile[slot], start[slot], cell_keys(kind, found & ((1 << FIELD_BITS) - 1)), np.bincount(code_of).astype(np.float64))

    def largest(at: Ints, kind: Kind, value: Floats) -> Delta:
        slot = slot_of[at]
        most = np.full(len(slots), -np.inf)
        np.maximum.at(most, slot, value)
        found = np.flatnonzero(most > -np.inf)
        return Delta(profile[found], start[found], np.broadcast_to(cell_keys(kind), found.shape), most[found])

    whole = counted[rows.key_set[counted] != NO_KEY_SET]
    apart = counted[rows.key_set[counted] == NO_KEY_SET]
    timed = counted[~np.isnan(rows.latency_ms[counted])]
    latency = rows.latency_ms[timed]
    null = is_counted[rows.null_row]
    sent = is_counted[rows.sent_row]
    parts = [
        counts(whole, Kind.KEYS, rows.key_set[whole]),
        one(apart, Kind.KEYS),
        counts(rows.sent_row[sent], Kind.SENT, rows.sent_feature[sent]),
        counts(rows.null_row[null], Kind.NULL, rows.null_feature[null]),
        one(counted[rows.error[counted]], Kind.ERROR),
        counts(timed, Kind.LATENCY, latency_buckets(latency)),
        one(timed, Kind.LATENCY_SUM, latency),
        largest(timed, Kind.LATENCY_MAX, latency),
        one(repeated, Kind.DUPLICATE),
    ]
    return [part for part in parts if len(part)]


def outcome_deltas(before: Records, after: Records, task: Ints, class_ids: ClassIds) -> list[Delta]:
    """Return what changed outcomes take back and add; `before` and `after` are the changed records, `task` is by profile."""
    parts = []
    for records, sign in ((before, -1.0), (after, 1.0)):
        matched = ((records["flags"] & r.HAS_PREDICTION) != 0) & ((records["flags"] & r.HAS_OUTCOME) != 0)
        parts += _outcome_cells(records[matched], sign, task, class_ids)
    return [part for part in parts if len(part)]


def _outcome_cells(records: Records, sign: float, task: Ints, class_ids: ClassIds) -> list[Delta]:
    flags = records["flags"]

    def cells(of: Records, kind: Kind, a: Ints | int = 0, b: Ints | int = 0, value: Floats | None = None) -> Delta:
        keys = np.broadcast_to(cell_keys(kind, a, b), (len(of),))
        values = np.full(len(of), sign) if value is None else sign * value
        return Delta(of["profile"].astype(np.int64), of["created_at"].astype(np.int64), keys, values)

    def sums(of: Records, kind: Kind, value: Floats) -> Delta:
        rows, limb, number = limbs(value)
        return cells(of[rows], kind, limb, value=number)

    labelled = records[(flags & r.HAS_LABEL) != 0]
    answered = labelled[~np.isnan(labelled["number"]) | (labelled["class"] != r.NO_CLASS)]
    is_number = ~np.isnan(answered["number"]) & ~np.isnan(answered["label_number"])
    as_float = (answered["flags"] & (r.ANSWER_IS_FLOAT | r.LABEL_IS_FLOAT)) != 0
    its_task = task[answered["profile"]]
    numeric = is_number & ((its_task == REGRESSION) | (as_float & ~np.isin(its_task, CLASS_TASKS)))
    pairs = answered[numeric]
    with np.errstate(over="ignore"):  # an error beyond float64 is infinite, and counted as such
        error = pairs["number"] - pairs["label_number"]
        squared = error**2
    classes = answered[~numeric & (its_task != REGRESSION)]
    known = records[(flags & r.HAS_CONVERTED) != 0]
    converted = known[known["converted"] == 1]
    paid = records[(flags & r.HAS_REVENUE) != 0]
    return [
        cells(labelled, Kind.LABELLED),
        cells(classes, Kind.CONFUSION, _classes(classes, "class", "number", r.ANSWER_IS_FLOAT, class_ids), _labels(classes, class_ids)),
        cells(pairs, Kind.ERROR_COUNT),
        sums(pairs, Kind.ERROR_ABSOLUTE, np.abs(error)),
        sums(pairs, Kind.ERROR_SQUARED, squared),
        cells(known, Kind.OUTCOME_KNOWN, known["variant"]),
        cells(converted, Kind.CONVERTED, converted["variant"]),
        cells(paid, Kind.REVENUE_COUNT),
        sums(paid, Kind.REVENUE, paid["revenue"]),
    ]


def _labels(records: Records, class_ids: ClassIds) -> Ints:
    return _classes(records, "label_class", "label_number", r.LABEL_IS_FLOAT, class_ids)


def _classes(records: Records, class_: str, number: str, float_flag: int, class_ids: ClassIds) -> Ints:
    """Return the class ids of the answers or labels; numbers get theirs here, since only here are they known to be classes."""
    ids = records[class_].astype(np.int64)
    rows = np.flatnonzero(records[class_] == r.NO_CLASS)
    part = records[rows]
    ids[rows] = class_ids(part["profile"].astype(np.int64), part[number], (part["flags"] & float_flag) != 0)
    return ids
