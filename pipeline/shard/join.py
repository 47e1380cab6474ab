"""The join of predictions and outcomes by id: pure, over all rows of a commit at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.cells import Ints
from pipeline.columns import Bools, Hashes
from pipeline.shard import records as r
from pipeline.shard.records import Records, empty_records
from pipeline.shard.rows import OutcomeRows, PredictionRows, joined_outcomes
from pipeline.shard.waiting import as_records, as_rows, carried, put_alone

Recall = Callable[[Hashes, Records], tuple[OutcomeRows, Ints]]
"""Takes out the entries that wait for predictions, by (ids, their records): returns outcomes, and of each its prediction's position."""


@dataclass(frozen=True, slots=True)
class Ids:
    """The distinct prediction ids of a commit: `hash` (k, 2), and for each row of either kind its position there."""

    hash: Hashes
    of_prediction: Ints
    of_outcome: Ints


@dataclass(frozen=True, slots=True)
class Joined:
    """What a commit makes of its rows.

    `before` and `after` are the records of the distinct ids, `changed` those of which more is known or else; to store are also those that
    are `marked` as having entries. `counted` are the rows of predictions that count, ascending; `repeated` the rows that are repeats.
    `entries` are outcomes that are to wait beside the record at `entry_of`.
    """

    before: Records
    after: Records
    changed: Bools
    marked: Bools
    counted: Ints
    repeated: Ints
    entries: Records
    entry_of: Ints


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


def join(
    before: Records, ids: Ids, predictions: PredictionRows | None, outcomes: OutcomeRows | None, horizon_ms: Ints, recall: Recall
) -> Joined:
    """Return the new state of each id. `horizon_ms` has one entry a profile: how long its model waits for outcomes.

    Of several predictions with one id the first read counts; one that comes after the horizon of the earlier one starts anew.
    What has waited for a prediction is as if it came with it.
    """
    counted = repeated = np.zeros(0, dtype=np.int64)
    told = [(outcomes, ids.of_outcome)] if outcomes is not None else []
    changed, marked = np.zeros(len(before), dtype=bool), np.zeros(len(before), dtype=bool)
    if predictions is None:
        after = before.copy()
    else:
        deliveries = _first_deliveries(before, ids.of_prediction, predictions, horizon_ms)
        counted, repeated, latest = deliveries.counted, deliveries.repeated, deliveries.latest
        at = ids.of_prediction[latest]
        stored = before["flags"][at]
        far = _waits_for_another(before, ids.of_prediction, predictions, latest, horizon_ms)
        if len(far):
            told.append((as_rows(before[far], ids.hash[far]), far))
        # What an earlier prediction of that id has added to the panes is not taken back: it is none of the new one's.
        free = np.concatenate([at[(stored & r.HAS_PREDICTION) != 0], far])
        if len(free):
            before = before.copy()
            before[free] = empty_records(1)
        after = before.copy()
        _put_predictions(after, at, predictions, latest)
        changed[at] = True
        more = at[(stored & r.HAS_MORE) != 0]
        after["flags"][more] |= np.uint8(r.HAS_MORE)
        if len(more):
            recalled, of = recall(ids.hash[more], after[more])
            told.append((recalled, more[of]))
    entries, entry_of = empty_records(0), np.zeros(0, dtype=np.int64)
    if told:
        rows, at = joined_outcomes([rows for rows, _ in told]), np.concatenate([of for _, of in told])
        taken, left = _take_outcomes(after, at, rows, horizon_ms)
        changed |= taken
        if len(left):
            alone, others = _leave_alone(after, at, rows, left)
            changed[alone] = True
            entries, entry_of = as_records(rows, others), at[others]
            marked[entry_of] = (after["flags"][entry_of] & r.HAS_MORE) == 0
            after["flags"][entry_of] |= np.uint8(r.HAS_MORE)
    return Joined(before, after, changed, marked, counted, repeated, entries, entry_of)


def _put_predictions(after: Records, at: Ints, rows: PredictionRows, latest: Ints) -> None:
    flags = r.HAS_PREDICTION | np.where(rows.written_as_float[latest], r.ANSWER_IS_FLOAT, 0)
    after["flags"][at] |= flags.astype(np.uint8)
    for field, column in (
        ("created_at", rows.created_at),
        ("profile", rows.profile),
        ("variant", rows.variant),
        ("class", rows.class_),
        ("number", rows.number),
    ):
        after[field][at] = column[latest]


def _waits_for_another(before: Records, at: Ints, rows: PredictionRows, latest: Ints, horizon_ms: Ints) -> Ints:
    """Return the records whose outcome that waits is further than the horizon from the prediction that has come."""
    stored = before["flags"][at[latest]]
    row = latest[((stored & r.HAS_PREDICTION) == 0) & ((stored & r.HAS_OUTCOME) != 0)]
    delay = np.abs(r.newest_outcome(before, at[row]) - rows.created_at[row])
    far: Ints = at[row[delay > horizon_ms[rows.profile[row]]]]
    return far


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
    """Put into each record that has a prediction, field by field, the newest outcome, if it is newer than what is there.

    Return which records have changed, and the rows that are left: no prediction is there, or it is further away than the horizon.
    """
    changed = np.zeros(len(after), dtype=bool)
    predicted = (after["flags"][at] & r.HAS_PREDICTION) != 0
    delay = np.abs(rows.created_at - after["created_at"][at])
    in_time = predicted & (delay <= horizon_ms[after["profile"][at]])
    has_any = np.zeros(len(rows), dtype=bool)
    for name, carries in carried(rows).items():
        has_any |= carries
        newest = _newest(np.flatnonzero(carries & in_time), at, rows, len(after))
        target = at[newest]
        known_at, known_tie = after[f"{name}_at"][target], after[f"{name}_tie"][target]
        time, tie = rows.created_at[newest], rows.tie[newest]
        newer = (time > known_at) | ((time == known_at) & (tie > known_tie))
        target, newest = target[newer], newest[newer]
        after[f"{name}_at"][target] = rows.created_at[newest]
        after[f"{name}_tie"][target] = rows.tie[newest]
        after["flags"][target] |= np.uint8(r.OUTCOME_FLAGS[name])
        changed[target] = True
        if name == "label":
            after["label_class"][target] = rows.class_[newest]
            after["label_number"][target] = rows.number[newest]
            is_float = np.where(rows.written_as_float[newest], r.LABEL_IS_FLOAT, 0).astype(np.uint8)
            after["flags"][target] = (after["flags"][target] & np.uint8(0xFF ^ r.LABEL_IS_FLOAT)) | is_float
        else:
            after[name][target] = (rows.converted if name == "converted" else rows.revenue)[newest]
    return changed, np.flatnonzero(has_any & ~in_time)


def _leave_alone(after: Records, at: Ints, rows: OutcomeRows, left: Ints) -> tuple[Ints, Ints]:
    """Put of the rows that are `left` the first one of each id into its record, if there is none; return those ids, and the other rows."""
    free = left[after["flags"][at[left]] == 0]
    first = np.full(len(after), -1, dtype=np.int64)
    first[at[free[::-1]]] = free[::-1]
    ids = np.flatnonzero(first >= 0)
    put_alone(after, ids, rows, first[ids])
    return ids, left[first[at[left]] != left]


def _newest(sent: Ints, at: Ints, rows: OutcomeRows, ids: int) -> Ints:
    """Return of each id the newest of the rows `sent`; few ids have several."""
    several = np.bincount(at[sent], minlength=ids)[at[sent]] > 1
    if not several.any():
        return sent
    order = sent[several]
    order = order[np.lexsort((rows.tie[order], rows.created_at[order], at[order]))]
    newest: Ints = np.concatenate([sent[~several], order[np.append(at[order][1:] != at[order][:-1], True)]])
    return newest
