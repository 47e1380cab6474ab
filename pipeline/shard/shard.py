"""One shard: takes its slices of the batches, and commits them.

A commit is one atomic write: the records, the panes, the names and the progress that follow from the rows.
After a crash everything is as of the last commit, and what was read since is read again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import compress
from pathlib import Path

import numpy as np
import orjson
import pandas

from pipeline.cells import Floats, Ints, Keys, Kind, cell_keys
from pipeline.columns import Bools, Hashes, Progress, Slice
from pipeline.panes import NO_CELLS, Cells, first_pane_id, merge
from pipeline.settings import PipelineSettings
from pipeline.shard import records as r
from pipeline.shard.admissions import Admissions, OwnAdmissions
from pipeline.shard.deltas import Delta, concatenated, outcome_deltas, prediction_deltas
from pipeline.shard.expand import expand, late_cells
from pipeline.shard.expiry import HOUR_MS, IDS_AT_LEAST, OF_ENTRIES, Expired, ExpiryNotes, Written, expires_at, noted_ids, record_keys
from pipeline.shard.join import Joined, distinct_ids, join
from pipeline.shard.names import NameTables
from pipeline.shard.records import Records, pack, unpack
from pipeline.shard.rows import OutcomeRows, PredictionRows, joined_outcomes, joined_predictions, outcome_rows, prediction_rows
from pipeline.shard.state import PANES, RECORDS, ShardState
from pipeline.shard.updates import PaneUpdate
from pipeline.shard.waiting import Waiting
from pipeline.store import Batch
from pipeline.watermark import BEGINNING, Watermark
from schemas.metrics import TUMBLING, WINDOW_LENGTH_MS
from schemas.topics import OUTCOMES, PREDICTIONS

ROWS_A_COMMIT = 98_304
"""A commit is due when this many rows wait, whatever the time."""
_COMMIT_SHARE = 3
_LONGEST_INTERVAL_MS = 1_000
_TASKS = {"": 0, "binary": 1, "multiclass": 2, "regression": 3}
_RETENTION_STEP_MS = 60_000
_PANES_A_SLICE = 2_000


class Shard:
    """Holds the state of one shard; `clock` returns milliseconds that only grow, `acknowledged` the last commit that the publisher has.

    `admissions` decides with the other shards which names are kept; without it this one decides alone.
    """

    def __init__(
        self,
        number: int,
        folder: Path,
        settings: PipelineSettings,
        partitions: Mapping[str, frozenset[int]],
        clock: Callable[[], int],
        acknowledged: Callable[[], int],
        admissions: Admissions | None = None,
    ) -> None:
        self.number = number
        self._settings = settings
        self._clock = clock
        self._acknowledged = acknowledged
        self._state = ShardState(folder)
        self._admissions = admissions or OwnAdmissions()
        self._names = NameTables(settings.limits, self._admissions)
        self._state.load_names(self._names)
        self._seen = noted_ids(self._state.store)
        self._notes = ExpiryNotes(self._state.store)
        self._watermark = self._stored_watermark(PREDICTIONS, partitions)
        self._outcome_times = self._stored_watermark(OUTCOMES, partitions)
        self._counts: Counter[str] = Counter()
        self._retained_from = BEGINNING
        self._predictions: list[PredictionRows] = []
        self._outcomes: list[OutcomeRows] = []
        self._rows = 0
        self._least_interval_ms = 0
        self._read_at_ms: int | None = None
        self._moved = self._notes.any_left(self._read_until())
        self._horizon_ms: Ints = np.zeros(0, dtype=np.int64)
        self._task: Ints = np.zeros(0, dtype=np.int64)

    def take(self, part: Slice) -> None:
        """Buffer the rows of a slice; those that an earlier run has committed are skipped by their offset."""
        progress = part.progress
        position = (progress.topic, progress.partition)
        done = self._state.progress.get(position, 0)
        if self._read_at_ms is None:
            self._read_at_ms = self._clock()
        if part.predictions is not None and progress.end > done:
            rows = np.flatnonzero(part.predictions.offset >= done)
            if len(rows):
                fresh = part.predictions if len(rows) == len(part.predictions) else part.predictions.take(rows)
                self._predictions.append(prediction_rows(fresh, self._watermark.value, self._names))
                self._rows += len(rows)
        if part.outcomes is not None and progress.end > done:
            rows = np.flatnonzero(part.outcomes.offset >= done)
            if len(rows):
                fresh_outcomes = part.outcomes if len(rows) == len(part.outcomes) else part.outcomes.take(rows)
                self._outcomes.append(outcome_rows(fresh_outcomes, progress.partition, self._names))
                self._rows += len(rows)
        self._admissions.settle()  # now, since other shards may wait to ask
        if progress.end > done:
            self._state.progress[position] = progress.end
            self._moved = True
        self._follow(progress)

    @property
    def due_at_ms(self) -> int | None:
        """When the next commit is due, or None while nothing waits."""
        return None if self._read_at_ms is None else self._read_at_ms + max(self._settings.commit_interval_ms, self._least_interval_ms)

    @property
    def due(self) -> bool:
        """Whether it is time to commit."""
        due_at = self.due_at_ms
        return self._rows >= ROWS_A_COMMIT or (due_at is not None and self._clock() >= due_at)

    def commit(self) -> PaneUpdate | None:
        """Store what has been taken; return what the publisher must know, or None when nothing has changed."""
        self._read_at_ms = None
        if not self._moved:
            return None
        started, began = time.thread_time(), time.monotonic()
        update = replace(self._commit(), commit_ms=1000 * (time.monotonic() - began))
        # On a backlog a commit has much to do: larger ones change each pane less often for the same rows. What counts is its own work: on a
        # busy machine it takes longer, and to come less often for that would only delay the rows.
        self._least_interval_ms = min(int(_COMMIT_SHARE * 1000 * (time.thread_time() - started)), _LONGEST_INTERVAL_MS)
        return update

    def _commit(self) -> PaneUpdate:
        state, batch = self._state, self._state.store.batch()
        state.next_commit()
        state.oldest_end = self._oldest_end()
        self._extend_model_columns()
        waiting, now = Waiting(state.store, batch), self._read_until()
        at_most = max(IDS_AT_LEAST, 2 * self._rows)
        due = self._notes.take_due(batch, now, at_most)
        parts, written = self._commit_rows(batch, waiting) if self._rows else ([], [])
        if due:
            parts += self._expire(self._notes.drop(batch, state.sequence, now, due, self._horizon_ms, written, waiting, at_most))
        cells = NO_CELLS
        if parts:
            touched = np.unique(np.concatenate([part.pane for part in parts]))
            parts.append(state.panes(touched))
            cells = merge(parts)
            state.put_panes(batch, cells)
        self._forget_past_retention(batch)
        self._admissions.settle()  # the answers before what follows from them
        names = state.put_names(batch, self._names.added())
        state.forget_outbox(batch, self._acknowledged())
        state.put_meta(batch, {times.topic: times.stored() for times in (self._watermark, self._outcome_times)})
        state.store.write(batch)
        self._predictions, self._outcomes, self._rows = [], [], 0
        self._moved = self._notes.any_due(now)
        if self._moved:
            self._read_at_ms = self._clock()
        return self._update(cells, names)

    def unpublished(self) -> Iterator[PaneUpdate]:
        """Return what a shard says first after a start: all names, and the panes that the publisher may not have, some at a time.

        Each update is made when it is asked for, be it in another thread while commits go on: panes and names are told as they are by then.
        """
        state, acknowledged = self._state, self._acknowledged()
        everything = state.meet_publisher(acknowledged)
        panes = state.all_panes() if everything else state.unpublished(acknowledged)
        last = self._update(NO_CELLS, {})
        # A publisher that has a part of everything has less than nothing: not even a shard that lost all may take it for up to date.
        return self._in_slices(panes, last, replace(last, sequence=-1 if everything else acknowledged, more=True), everything)

    def _in_slices(self, panes: Keys, last: PaneUpdate, others: PaneUpdate, everything: bool) -> Iterator[PaneUpdate]:
        told = dict.fromkeys(NameTables.TABLES, 0)
        for first in range(0, max(len(panes), 1), _PANES_A_SLICE):
            cells = self._state.panes(panes[first : first + _PANES_A_SLICE])
            names: dict[str, tuple[int, list[object]]] = {}
            for table in reversed(NameTables.TABLES):  # cells speak of scopes, and those of texts: what is spoken of is read later
                names[table] = (told[table], self._names.table(table).items[told[table] :])
                told[table] += len(names[table][1])
            update = last if first + _PANES_A_SLICE >= len(panes) else others
            yield replace(update, cells=cells, names=names, everything=everything and not first)

    def close(self) -> None:
        """Let go of the folder; what was not committed is read again next time."""
        self._state.close()
        self._admissions.close()

    def _update(self, cells: Cells, names: dict[str, tuple[int, list[object]]]) -> PaneUpdate:
        counts = dict(self._counts) | {f"folded {kind}": count for kind, count in self._names.folded.items()}
        newest = self._watermark.newest_event_time
        return PaneUpdate(
            self.number,
            self._state.sequence,
            cells,
            names,
            self._watermark.value,
            newest,
            counts,
            progress=dict(self._state.progress),
            oldest_end=self._oldest_end(),
        )

    def _commit_rows(self, batch: Batch, waiting: Waiting) -> tuple[list[Cells], Written]:
        predictions = joined_predictions(self._predictions) if self._predictions else None
        outcomes = joined_outcomes(self._outcomes) if self._outcomes else None
        ids = distinct_ids(predictions, outcomes)
        keys = record_keys(ids.hash)
        before = self._stored_records(ids.hash, keys)
        joined = join(before, ids, predictions, outcomes, self._horizon_ms, partial(waiting.recall, horizon_ms=self._horizon_ms))
        to_store = joined.changed | joined.marked
        written = list(compress(keys, to_store.tolist())), pack(joined.after[to_store])
        batch.put_all(RECORDS, *written)
        waiting.put(ids.hash[joined.entry_of], joined.entries)
        changed = np.flatnonzero(joined.changed)
        noted = self._new_or_waiting(joined, changed)
        self._note(batch, ids.hash[noted], expires_at(joined.after, self._horizon_ms)[noted])
        self._note(batch, ids.hash[joined.entry_of], expires_at(joined.entries, self._horizon_ms), suffix=OF_ENTRIES)
        with_outcome = changed[(joined.after["flags"][changed] & r.HAS_OUTCOME) != 0]
        deltas = outcome_deltas(joined.before[with_outcome], joined.after[with_outcome], self._task, self._class_ids)
        parts: list[Cells] = []
        oldest_end = self._state.oldest_end
        scopes = self._names.profile_scopes
        if predictions is not None:
            deltas += prediction_deltas(predictions, joined.counted, joined.repeated)
            parts += late_cells(predictions, joined.counted, scopes, oldest_end, self._settings.allowed_lateness_ms)
        self._count(predictions, outcomes, joined)
        return parts + (expand(concatenated(deltas), scopes, oldest_end) if deltas else []), zip(*written, strict=True)

    def _stored_records(self, hashes: Hashes, keys: list[bytes]) -> Records:
        """Return the records of ids; only for those that may have been seen is the store asked."""
        known = np.flatnonzero(self._seen.may_hold(hashes)).tolist()
        records = r.empty_records(len(keys))
        records[known] = unpack(self._state.store.get_all(RECORDS, [keys[row] for row in known]))
        return records

    def _note(self, batch: Batch, hashes: Hashes, due: Ints, suffix: bytes = b"") -> None:
        self._notes.add(batch, self._state.sequence, hashes, due, suffix=suffix)
        self._seen.add(hashes, int(due.max(initial=BEGINNING)))

    def _read_until(self) -> int:
        """Return the full hour that both topics have reached: what is noted for an hour expires with it, however commits cut the log."""
        now = self._watermark.value
        if self._outcome_times.partitions and (slowest := self._outcome_times.slowest) is not None:
            now = min(now, slowest)
        return now - now % HOUR_MS

    def _expire(self, expired: Expired) -> list[Cells]:
        """Follow what was dropped; return the cells of outcomes whose prediction never came."""
        self._seen.forget(self._notes.done_until)
        self._seen.add(expired.noted, int(expired.noted_until.max(initial=BEGINNING)))
        self._counts["expired predictions"] += expired.predictions
        if not (count := len(expired.outcome_at)):
            return []
        self._counts["unmatched outcomes"] += count
        unmatched = np.broadcast_to(cell_keys(Kind.UNMATCHED), (count,))
        delta = Delta(expired.outcome_profile, expired.outcome_at, unmatched, np.ones(count))
        return expand(delta, self._names.profile_scopes, self._state.oldest_end)

    def _oldest_end(self) -> list[int]:
        """A window's pane is kept while it ends after this, which follows the newest event time.

        It never goes back: where retention is made longer, a late event would else make a pane anew, without what was dropped.
        """
        newest, kept_ms = self._watermark.newest_event_time, self._settings.panes_kept_ms
        return [max(newest - kept_ms[window], before) for window, before in zip(TUMBLING, self._state.oldest_end, strict=True)]

    def _forget_past_retention(self, batch: Batch) -> None:
        newest = self._watermark.newest_event_time
        if newest < self._retained_from + _RETENTION_STEP_MS:
            return
        self._retained_from = newest
        for window, (name, oldest_end) in enumerate(zip(TUMBLING, self._state.oldest_end, strict=True)):
            start = first_pane_id(window, oldest_end - WINDOW_LENGTH_MS[name] + 1)
            batch.delete_range(PANES, first_pane_id(window, 0).to_bytes(8, "big"), start.to_bytes(8, "big"))

    def _new_or_waiting(self, joined: Joined, changed: Ints) -> Ints:
        """Return the records whose time of expiry this commit has set: new predictions, and outcomes without one."""
        before, after = joined.before["flags"][changed], joined.after["flags"][changed]
        new = ((after & r.HAS_PREDICTION) != 0) & (
            ((before & r.HAS_PREDICTION) == 0) | (joined.before["created_at"][changed] != joined.after["created_at"][changed])
        )
        rows: Ints = changed[new | ((after & r.HAS_PREDICTION) == 0)]
        return rows

    def _class_ids(self, profile: Ints, number: Floats, as_float: Bools) -> Ints:
        """Return the class ids of numbers: integers and floats are different classes."""
        codes, numbers = pandas.factorize(number)
        which, kinds = pandas.factorize((profile * len(numbers) + codes) * 2 + as_float)
        ids = []
        for kind in kinds.tolist():
            whole, is_float = divmod(kind, 2)
            owner, code = divmod(whole, len(numbers))
            value = float(numbers[code])
            text = orjson.dumps(value if is_float else int(value)).decode()
            ids.append(self._names.class_(self._names.model_of(owner), text))
        found: Ints = np.array(ids, dtype=np.int64)[which]
        return found

    def _extend_model_columns(self) -> None:
        """Work out the horizon and task of profiles that are new."""
        profiles = self._names.profiles.items
        models = [self._settings.models.get(self._names.model_of(profile)) for profile in range(len(self._task), len(profiles))]
        horizon = [(model and model.label_horizon_ms) or self._settings.label_horizon_ms for model in models]
        self._horizon_ms = np.concatenate([self._horizon_ms, np.array(horizon, dtype=np.int64)])
        self._task = np.concatenate([self._task, np.array([_TASKS[model.task] if model else 0 for model in models], dtype=np.int64)])

    def _count(self, predictions: PredictionRows | None, outcomes: OutcomeRows | None, joined: Joined) -> None:
        self._counts["predictions"] += len(joined.counted)
        self._counts["duplicates"] += len(joined.repeated)
        self._counts["outcomes"] += len(outcomes) if outcomes is not None else 0

    def _follow(self, progress: Progress) -> None:
        before = self._watermark.value, self._read_until()
        self._watermark.advance(progress)
        self._outcome_times.advance(progress)
        self._moved |= (self._watermark.value, self._read_until()) != before  # outcomes that are idle hold up no expiry any more

    def _stored_watermark(self, topic: str, partitions: Mapping[str, frozenset[int]]) -> Watermark:
        return Watermark.restored(topic, partitions.get(topic, frozenset()), self._state.watermark.get(topic, {}))
