"""The join of predictions and outcomes by id: pure, over all rows of a commit at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cells import Ints
from pipeline.columns import Bools, Hashes
from pipeline.shard import records as r
from pipeline.shard.records import Records
from pipeline.shard.rows import OutcomeRows, PredictionRows


@dataclass(frozen=True, slots=True)
class Ids:
    """The distinct prediction ids of a commit: `hash` (k, 2), and for each row of either kind its position there."""

    hash: Hashes
    of_prediction: Ints
    of_outcome: Ints


@dataclass(frozen=True, slots=True)
class Joined:
    """What a commit makes of its rows.

    `before` and `after` are the records of the distinct ids, `changed` those to store. `counted` are the rows of predictions that
    count, ascending; `repeated` the rows that are repeats. `too_far` are the rows of outcomes that are further from their prediction than
    the horizon, `left_alone` the records whose waiting outcomes turned out to be so; neither counts for the prediction.
    """

    before: Records
    after: Records
    changed: Bools
    counted: Ints
    repeated: Ints
    too_far: Ints
    left_alone: Ints


def distinct_ids(predictions: PredictionRows | None, outcomes: OutcomeRows | None) -> Ids:
    """Return the distinct ids of the rows."""
    count = len(predictions) if predictions else 0
    hashes = np.concatenate([rows.hash for rows in (predictions, outcomes) if rows is not None])
    order = np.argsort(hashes[:, 0])
    same_half = hashes[order[1:], 0] == hashes[order[:-1], 0]
    if (same_half & (hashes[order[1:], 1] != hashes[order[:-1], 1])).any():
        order = np.lexsort((hashes[:, 1], hashes[:, 0]))  # one in 2**64: sorting by one half alone takes a third of the time
    ordered = hashes[order]
    starts = np.ones(len(ordered), dtype=bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    position = np.empty(len(hashes), dtype=np.int64)
    position[order] = np.cumsum(starts) - 1
    return Ids(ordered[starts], position[:count], position[count:])


def join(before: Records, ids: Ids, predictions: PredictionRows | None, outcomes: OutcomeRows | None, horizon_ms: Ints) -> Joined:
    """Return the new state of each id. `horizon_ms` has one entry a profile: how long its model waits for outcomes.

    Of several predictions with one id the first read counts; one that comes after the horizon of the earlier one starts anew.
    """
    changed = np.zeros(len(before), dtype=bool)
    counted = repeated = np.zeros(0, dtype=np.int64)
    if predictions is None:
        after = before.copy()
    else:
        deliveries = _first_deliveries(before, ids.of_prediction, predictions, horizon_ms)
        counted, repeated, latest = deliveries.counted, deliveries.repeated, deliveries.latest
        at = ids.of_prediction[latest]
        # What an earlier prediction of that id has added to the panes is not taken back: it is none of the new one's.
        renewed = at[(before["flags"][at] & r.HAS_PREDICTION) != 0]
        if len(renewed):
            before = before.copy()
            before[renewed] = r.empty_records(len(renewed))
        after = before.copy()
        flags = r.HAS_PREDICTION | np.where(predictions.written_as_float[latest], r.ANSWER_IS_FLOAT, 0)
        after["flags"][at] |= flags.astype(np.uint8)
        for field, column in (
            ("created_at", predictions.created_at),
            ("profile", predictions.profile),
            ("variant", predictions.variant),
            ("class", predictions.class_),
            ("number", predictions.number),
        ):
            after[field][at] = column[latest]
        changed[at] = True
    left_alone = _drop_foreign_outcomes(after, changed, horizon_ms)
    too_far = np.zeros(0, dtype=np.int64)
    if outcomes is not None:
        newly_changed, too_far = _take_outcomes(after, ids.of_outcome, outcomes, horizon_ms)
        changed |= newly_changed
    return Joined(before, after, changed, counted, repeated, too_far, left_alone)


@dataclass(frozen=True, slots=True)
class _Deliveries:
    """Rows of predictions, ascending: those that count, the repeats, and of each id that has any the last one that counts."""

    counted: Ints
    repeated: Ints
    latest: Ints


def _first_deliveries(before: Records, at: Ints, rows: PredictionRows, horizon_ms: Ints) -> _Deliveries:
    """Go through each id in the order of reading: its first row counts, and then one more than the horizon later than the last that did."""
    known = (before["flags"] & r.HAS_PREDICTION) != 0
    since = before["created_at"].astype(np.int64)
    horizon = horizon_ms[before["profile"]]
    latest = np.full(len(before), -1, dtype=np.int64)
    is_counted = np.zeros(len(rows), dtype=bool)
    left = np.arange(len(rows))
    while True:
        anew = ~known[at[left]] | (rows.created_at[left] - since[at[left]] > horizon[at[left]])
        candidates = left[anew]
        if not len(candidates):
            break
        first = np.full(len(before), -1, dtype=np.int64)
        first[at[candidates[::-1]]] = candidates[::-1]  # of several the one written last stays, which is the first
        ids = np.flatnonzero(first >= 0)
        counts = first[ids]
        is_counted[counts] = known[ids] = True
        latest[ids], since[ids], horizon[ids] = counts, rows.created_at[counts], horizon_ms[rows.profile[counts]]
        # Seldom more than the repeats within one commit are left, and seldom does one of them start anew.
        has_moved = np.zeros(len(before), dtype=bool)
        has_moved[ids] = True
        left = left[has_moved[at[left]] & (left > latest[at[left]])]
    return _Deliveries(np.flatnonzero(is_counted), np.flatnonzero(~is_counted), np.sort(latest[latest >= 0]))


def _take_outcomes(after: Records, at: Ints, rows: OutcomeRows, horizon_ms: Ints) -> tuple[Bools, Ints]:
    """Put into each record, field by field, the newest outcome, if it is newer than what is there.

    Return which records have changed, and the rows that are further from their prediction than the horizon.
    """
    changed = np.zeros(len(after), dtype=bool)
    unseen = at[(after["flags"][at] & (r.HAS_PREDICTION | r.HAS_OUTCOME)) == 0]
    if len(unseen):
        profile_of = np.zeros(len(after), dtype=np.uint32)
        profile_of[at] = rows.profile
        after["profile"][unseen] = profile_of[unseen]
    predicted = (after["flags"][at] & r.HAS_PREDICTION) != 0
    delay = np.abs(rows.created_at - after["created_at"][at])
    in_time = ~predicted | (delay <= horizon_ms[after["profile"][at]])
    is_label = ~np.isnan(rows.number) | (rows.class_ != r.NO_CLASS)
    for name, present, flag in (
        ("label", is_label, r.HAS_LABEL),
        ("converted", rows.converted >= 0, r.HAS_CONVERTED),
        ("revenue", ~np.isnan(rows.revenue), r.HAS_REVENUE),
    ):
        newest = _newest(np.flatnonzero(present & in_time), at, rows, len(after))
        target = at[newest]
        known_at, known_tie = after[f"{name}_at"][target], after[f"{name}_tie"][target]
        time, tie = rows.created_at[newest], rows.tie[newest]
        newer = (time > known_at) | ((time == known_at) & (tie > known_tie))
        target, newest = target[newer], newest[newer]
        after[f"{name}_at"][target] = rows.created_at[newest]
        after[f"{name}_tie"][target] = rows.tie[newest]
        after["flags"][target] |= np.uint8(flag)
        changed[target] = True
        if name == "label":
            after["label_class"][target] = rows.class_[newest]
            after["label_number"][target] = rows.number[newest]
            is_float = np.where(rows.written_as_float[newest], r.LABEL_IS_FLOAT, 0).astype(np.uint8)
            after["flags"][target] = (after["flags"][target] & np.uint8(0xFF ^ r.LABEL_IS_FLOAT)) | is_float
        else:
            after[name][target] = (rows.converted if name == "converted" else rows.revenue)[newest]
    return changed, np.flatnonzero(~in_time)


def _newest(sent: Ints, at: Ints, rows: OutcomeRows, ids: int) -> Ints:
    """Return of each id the newest of the rows `sent`; few ids have several."""
    several = np.bincount(at[sent], minlength=ids)[at[sent]] > 1
    if not several.any():
        return sent
    order = sent[several]
    order = order[np.lexsort((rows.tie[order], rows.created_at[order], at[order]))]
    newest: Ints = np.concatenate([sent[~several], order[np.append(at[order][1:] != at[order][:-1], True)]])
    return newest


def _drop_foreign_outcomes(after: Records, changed: Bools, horizon_ms: Ints) -> Ints:
    """Forget outcomes that waited for a prediction from which they are further away than the horizon; return their records."""
    dropped = np.zeros(len(after), dtype=bool)
    rows = np.flatnonzero(changed & ((after["flags"] & r.HAS_PREDICTION) != 0) & ((after["flags"] & r.HAS_OUTCOME) != 0))
    for name, flag in (("label", r.HAS_LABEL), ("converted", r.HAS_CONVERTED), ("revenue", r.HAS_REVENUE)):
        held = rows[(after["flags"][rows] & flag) != 0]
        far = held[np.abs(after[f"{name}_at"][held] - after["created_at"][held]) > horizon_ms[after["profile"][held]]]
        after["flags"][far] &= np.uint8(0xFF ^ flag)
        after[f"{name}_at"][far] = r.NEVER
        dropped[far] = True
    return np.flatnonzero(dropped)
