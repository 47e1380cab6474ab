"""The publisher: stores what shards tell, and publishes what has changed.

Taking an update and publishing are apart: the first makes it safe, the second happens at most every
`publish_interval_ms`, so that a pane that changes ten times in between is published once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import numpy as np

from pipeline.cells import Ints, Keys, Names
from pipeline.panes import (
    LENGTH_MS,
    NO_CELLS,
    ROLLING_INDEX,
    WINDOWS,
    Cells,
    first_pane_id,
    key_bytes,
    merge,
    pane_scope,
    pane_start_ms,
    pane_window,
)
from pipeline.publish.acknowledged import acknowledged_file, write_acknowledged
from pipeline.publish.agenda import Agenda, RollingAgenda, window_ends
from pipeline.publish.database import MetricsDatabase, database_file
from pipeline.publish.hints import Hints
from pipeline.publish.lake import LakeExport
from pipeline.publish.names import translated_cells
from pipeline.publish.progress import ProgressLog
from pipeline.publish.rhythm import LONG, Rhythm
from pipeline.publish.rolling import OpenRolling, rolling_id, rolling_panes
from pipeline.publish.rows import Moment, Published, arrow_table, messages, published
from pipeline.publish.state import DIRTY, OPEN, PANES, ROLLING, PublisherState
from pipeline.publish.topic import AcknowledgedProducer, KeepWaiting
from pipeline.publish.withdrawn import keys_table, tombstones
from pipeline.settings import PipelineSettings
from pipeline.shard.updates import PaneUpdate
from pipeline.store import Batch
from pipeline.watermark import BEGINNING
from schemas.kafka import KafkaSettings
from schemas.topics import METRICS

_HOURLY = WINDOWS.index("1h")
_PANES_AT_ONCE = 4_000
_ENDED_PANES_AT_ONCE = 500
_ENDED_BUDGET_S = 0.2
_ROLLING_BUDGET_S = 0.1
_ROLLING_AT_ONCE = 336
_ROLLING_REST_S = 30.0
"""Rolling windows that have ended are published again at most this often: one late label touches 168 of them."""
_LAST_EXPORT_S = 1.5
"""How long a run that is told to stop goes on exporting: it must be gone within 5 s."""
_RETENTION_STEP_MS = 60_000


class Publisher:
    """Owns the publisher's store, `tower.duckdb`, the lake's metrics and the messages on `tower.metrics`."""

    def __init__(
        self,
        home: Path,
        kafka: KafkaSettings,
        settings: PipelineSettings,
        shards: int,
        clock: Callable[[], int],
        keep_waiting: KeepWaiting,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._state = PublisherState(publisher_folder(home), shards)
        self._database = MetricsDatabase(database_file(home))
        # Not below the clock either: the revisions of a home that is made afresh go on from those of the one before.
        self._state.follow_revision(max(self._database.newest_revision(), clock()))
        self._lake = LakeExport(home, self._database.reader(), clock)
        self._producer = AcknowledgedProducer(kafka, keep_waiting)
        self._acknowledged_file = acknowledged_file(home)
        self._unheard = set(range(shards))
        self._watermarks: dict[int, int] = {}
        self._newest = BEGINNING
        self._retained_from = BEGINNING
        self._agenda = Agenda({int(pane): int(end) for end, pane in self._state.open_ends()})
        self._agenda.add(self._state.dirty())
        everything = set(range(len(self._state.names.scopes.items)))  # which open windows had changed is not on disk
        self._rolling = RollingAgenda(self._state.rolling_marks(), self._state.rolling_end, everything)
        self._open_rolling = OpenRolling()
        self._published_rolling: dict[int, tuple[int, int]] = {}
        if not self._database.has_history or self._database.writes < self._state.settled:
            self._publish_anew()
            self._database.note_history()
        self._rolling_done_s: dict[int, float] = {}
        self._names: tuple[int, Names] | None = None
        self._hints = Hints(settings.models, self._state.names)
        self._progress = ProgressLog()
        self._writes: list[Future[None]] = []
        self._published_panes: list[Keys] = []
        self._published_final: list[bytes] = []
        self._rhythm = Rhythm(settings.publish_interval_ms / 1000)
        self._acknowledged_s = 0.0

    def _publish_anew(self) -> None:
        """Have all panes published: a database that was lost, moved away, or set back, is made from the publisher's own store.

        All are marked, so that a run that ends before it is done leaves the rest to the next.
        """
        panes = self._state.all_panes()
        self._agenda.add(panes)
        batch = self._state.store.batch()
        batch.put_all(DIRTY, key_bytes(panes), [b""] * len(panes))
        hourly = panes[pane_window(panes) == _HOURLY]
        for scope, start in zip(pane_scope(hourly).tolist(), pane_start_ms(hourly).tolist(), strict=True):
            self._rolling.hour_changed(scope, start, self._state.rolling_end - 1)
        self._put_rolling_marks(batch)
        self._state.settled = self._database.writes
        self._state.put_meta(batch)
        self._state.store.write(batch)

    def _put_rolling_marks(self, batch: Batch) -> None:
        """Put the marks of rolling windows that have changed into a batch."""
        for scope in self._rolling.unsaved:
            # With those that DuckDB may not have yet: this overwrites their mark.
            ends = [*self._rolling.closed.get(scope, ()), *self._published_rolling.get(scope, ())]
            if ends:
                batch.put(ROLLING, scope.to_bytes(8, "big"), min(ends).to_bytes(8, "big") + max(ends).to_bytes(8, "big"))
        self._rolling.unsaved.clear()

    def take(self, update: PaneUpdate) -> None:
        """Store an update; afterwards the shard may forget it. Nothing is published before the last of each shard's first updates."""
        batch, ids = self._state.take(update)
        hourly = np.sort(ids[pane_window(ids) == _HOURLY])
        if update.everything:
            before, self._open_rolling = NO_CELLS, OpenRolling()
        else:
            before = self._state.stored(update.shard, hourly)
        self._newest = max(self._newest, update.newest_event_time)
        self._watermarks[update.shard] = max(update.watermark, self._watermarks.get(update.shard, BEGINNING))
        if self._newest > BEGINNING:
            self._rolling.move_to(self._newest, range(len(self._state.names.scopes.items)))
            self._open_rolling.move_to(self._rolling.open_end)
        for scope, start in zip(pane_scope(hourly).tolist(), pane_start_ms(hourly).tolist(), strict=True):
            self._rolling.hour_changed(scope, start, max(self._newest, self._state.rolling_end - 1))  # a shard that lost all knows no time
        self._put_rolling_marks(batch)
        self._state.rolling_end = self._rolling.open_end
        self._state.put_meta(batch)
        self._state.store.write(batch)
        cells, names = update.cells, self._state.names
        is_hourly = pane_window(cells.pane) == _HOURLY
        after = Cells(names.pane_ids(update.shard, cells.pane[is_hourly]), cells.cell[is_hourly], cells.value[is_hourly])
        self._open_rolling.apply(before, translated_cells(names, update.shard, after))
        self._agenda.add(ids)
        if not update.more:
            self._unheard.discard(update.shard)
        self._acknowledge()
        self._progress.note(update, self._newest)

    @property
    def due(self) -> bool:
        """Whether it is time to publish: every shard has been heard since the start, and the last time is long enough ago."""
        return not self._unheard and self._rhythm.due(time.monotonic())

    def flush(self, *, drain: bool = False) -> None:
        """Publish what has changed; all of it with `drain`, else what is open and some of the rest."""
        if self._unheard or self._newest == BEGINNING:
            return
        started = time.monotonic()
        self._settle()
        export_due = self._lake.due(self._settings.export_interval_ms / 1000)
        if export_due:
            self._start_export()
        if export_due or drain:
            self._refresh_open()
        moment = self._moment()
        self._agenda.add(self._finalized(moment))
        waiting = self._rhythm.begin(started, self._newest, moment.now - self._newest, moment.lateness)
        changed = self._agenda.take_open(moment.watermark - moment.lateness, but=frozenset() if drain else waiting)
        is_long = np.isin(pane_window(changed), list(LONG))
        self._publish_panes(changed[~is_long], moment)  # an hour that comes a tenth of a second later is nobody's loss
        self._publish_panes(changed[is_long], moment)
        if drain or ROLLING_INDEX not in waiting:
            self._publish_open_rolling(moment)
        self._publish_closed_rolling(moment, drain)
        until = time.monotonic() + _ENDED_BUDGET_S
        while len(panes := self._agenda.take_ended(_PANES_AT_ONCE if drain else _ENDED_PANES_AT_ONCE)):
            self._publish_panes(panes, moment)
            if not drain and time.monotonic() > until:
                break
        self._forget_past_retention()
        self._rhythm.end(time.monotonic())

    def close(self, *, drain: bool) -> None:
        """Publish (all, with `drain`), export, and let go of everything."""
        self._rhythm = Rhythm(0)  # nothing waits now, whatever the pace
        self.flush(drain=drain)
        self._settle()
        within_s = math.inf if drain else _LAST_EXPORT_S
        self._lake.finish(within_s)
        if not self._unheard and self._newest > BEGINNING:
            self._start_export()
        self._lake.close(within_s)
        self._acknowledge(now=True)
        self._database.close()
        self._state.close()

    def _moment(self) -> Moment:
        return Moment(
            now=self._clock(),
            revision=self._state.next_revision(),
            watermark=min(self._watermarks.values()),
            newest_event_time=self._newest,
            lateness=self._settings.allowed_lateness_ms,
        )

    def _finalized(self, moment: Moment) -> Keys:
        """Return the tumbling panes to publish again since they are final now; rolling ones go to their own list."""
        final = self._agenda.now_final(moment.watermark, moment.lateness)
        panes = self._retained(final)
        if len(panes) < len(final):
            self._forget_provisional(np.setdiff1d(final, panes))
        rolling = pane_window(panes) == ROLLING_INDEX
        for scope, end in zip(pane_scope(panes[rolling]).tolist(), window_ends(panes[rolling]).tolist(), strict=True):
            self._rolling.mark(scope, end, end)
        tumbling: Keys = panes[~rolling]
        return tumbling

    def _refresh_open(self) -> None:
        """Publish open windows again though no event came: of a scope that is quiet, the rate per second falls with time."""
        panes = np.array(sorted(self._agenda.provisional), dtype=np.uint64)
        rolling = pane_window(panes) == ROLLING_INDEX
        self._agenda.add(panes[~rolling])
        self._rolling.open_changed.update(pane_scope(panes[rolling & (window_ends(panes) == self._rolling.open_end)]).tolist())

    def _publish_panes(self, panes: Keys, moment: Moment) -> None:
        kept = self._retained(panes)
        for first in range(0, len(kept), _PANES_AT_ONCE):
            some = kept[first : first + _PANES_AT_ONCE]
            self._publish(some, self._state.merged(some), moment)
        self._published_panes.append(panes)

    def _publish_open_rolling(self, moment: Moment) -> None:
        scopes = np.array(sorted(self._rolling.open_changed), dtype=np.int64)
        self._rolling.open_changed.clear()
        if len(scopes):
            ends = np.full(len(scopes), self._rolling.open_end, dtype=np.int64)
            self._publish(rolling_id(scopes, ends), self._open_rolling.of(scopes, self._state.merged), moment)

    def _publish_closed_rolling(self, moment: Moment, drain: bool) -> None:
        started = time.monotonic()
        until = started + _ROLLING_BUDGET_S
        oldest_end = self._oldest_ends()[WINDOWS[ROLLING_INDEX]]
        together: list[tuple[Keys, Cells]] = []
        for scope, (first, last) in sorted(self._rolling.closed.items(), key=lambda item: self._rolling_done_s.get(item[0], 0.0)):
            rested = started - self._rolling_done_s.get(scope, -math.inf) >= _ROLLING_REST_S
            if not drain and (not rested or time.monotonic() > until):
                break
            self._published_rolling[scope] = (first, last)
            step = int(LENGTH_MS[_HOURLY])
            first = max(first, oldest_end // step * step + step)
            for start in range(first, last + 1, _ROLLING_AT_ONCE * step):
                end = min(start + (_ROLLING_AT_ONCE - 1) * step, last)
                ends = np.arange(start, end + 1, step, dtype=np.int64)
                panes = rolling_id(np.full(len(ends), scope, dtype=np.int64), ends)
                together.append((panes, rolling_panes(scope, start, end, self._state.merged)))
                if sum(len(panes) for panes, _ in together) >= _ROLLING_AT_ONCE:
                    self._publish_together(together, moment)
            self._rolling.done(scope)
            self._rolling_done_s[scope] = started
        self._publish_together(together, moment)

    def _publish_together(self, parts: list[tuple[Keys, Cells]], moment: Moment) -> None:
        """Publish panes and their cells at once, and clear the list: each time costs as much as a hundred windows do."""
        if parts:
            self._publish(np.concatenate([panes for panes, _ in parts]), merge([cells for _, cells in parts]), moment)
            parts.clear()

    def _publish(self, panes: Keys, cells: Cells, moment: Moment) -> None:
        """Send `panes`, whose cells these are, to the topic, and hand them to DuckDB; `_settle` takes the marks away when both have it."""
        if len(cells):
            rows = published(cells, self._metric_names(), self._hints, moment)
            self._producer.send(METRICS, ((key, value, None) for key, value in messages(rows, self._state.names.scope)))
            self._writes.append(self._database.upsert(arrow_table(rows, self._state.names.scope)))
            self._lake.changed(rows.panes)
            self._note_provisional(rows)
            panes = np.setdiff1d(panes, rows.panes)
        if len(panes):
            self._withdraw(panes, moment)

    def _withdraw(self, panes: Keys, moment: Moment) -> None:
        """Take back the rows of panes that have none any more: a shard that was set back may read names in another order under a limit."""
        names = self._state.names.scope
        there = panes[self._database.existing(keys_table(panes, names))]
        if len(there):
            self._producer.send(METRICS, tombstones(there, names, moment.revision))
            self._writes.append(self._database.delete(keys_table(there, names)))
            self._lake.changed(there)
        self._forget_provisional(np.array([pane for pane in panes.tolist() if pane in self._agenda.provisional], dtype=np.uint64))

    def _settle(self) -> None:
        """Wait for DuckDB, and take the marks from what has been published and has not changed since."""
        for write in self._writes:
            write.result()
        self._writes.clear()
        if not self._published_panes and not self._published_rolling and not self._published_final:
            return
        batch = self._state.store.batch()
        done = np.concatenate([NO_CELLS.pane, *self._published_panes])
        batch.delete_all(DIRTY, key_bytes(self._agenda.not_waiting(done)))
        scopes = [scope for scope in self._published_rolling if scope not in self._rolling.closed]
        batch.delete_all(ROLLING, [scope.to_bytes(8, "big") for scope in scopes])
        batch.delete_all(OPEN, self._published_final)
        self._state.settled = self._database.writes
        self._state.put_meta(batch)
        self._state.store.write(batch)
        self._published_final.clear()
        self._published_panes.clear()
        self._published_rolling.clear()

    def _start_export(self) -> None:
        self._lake.start(self._producer.offsets, self._state.revision, self._newest, self._oldest_ends())

    def _note_provisional(self, rows: Published) -> None:
        batch = self._state.store.batch()
        provisional = self._agenda.provisional
        for pane, end, final in zip(rows.panes.tolist(), rows.ends.tolist(), rows.final.tolist(), strict=True):
            key = end.to_bytes(8, "big") + pane.to_bytes(8, "big")
            if final and pane in provisional:
                del provisional[pane]
                self._published_final.append(key)
            elif not final and pane not in provisional:
                provisional[pane] = end
                batch.put(OPEN, key, b"")
        self._state.store.write(batch)

    def _forget_provisional(self, panes: Keys) -> None:
        """Drop panes that have passed their retention before they became final, or are withdrawn."""
        batch = self._state.store.batch()
        ends = [self._agenda.provisional.pop(pane) for pane in panes.tolist()]
        batch.delete_all(OPEN, [end.to_bytes(8, "big") + pane.to_bytes(8, "big") for pane, end in zip(panes.tolist(), ends, strict=True)])
        self._state.store.write(batch)

    def _metric_names(self) -> Names:
        names = self._state.names
        size = sum(len(names.table(table).items) for table in ("features", "key_sets", "classes", "variants"))
        if self._names is None or self._names[0] != size:
            self._names = (size, names.for_metrics())
        return self._names[1]

    def _oldest_ends(self) -> dict[str, int]:
        """Each window is published while it ends after this: within its retention, and while the panes that it is made of are whole."""
        whole = [*self._state.oldest_end, self._state.oldest_end[_HOURLY] + int(LENGTH_MS[ROLLING_INDEX] - LENGTH_MS[_HOURLY])]
        return {name: max(self._newest - self._settings.retention_ms[name], end) for name, end in zip(WINDOWS, whole, strict=True)}

    def _retained(self, panes: Keys) -> Keys:
        oldest: Ints = np.array([*self._oldest_ends().values()], dtype=np.int64)
        return panes[window_ends(panes) > oldest[pane_window(panes)]]

    def _forget_past_retention(self) -> None:
        if self._newest < self._retained_from + _RETENTION_STEP_MS:
            return
        self._retained_from = self._newest
        batch = self._state.store.batch()
        first_kept = self._first_kept(self._settings.retention_ms)
        for family, kept in ((PANES, self._first_kept(self._settings.panes_kept_ms)), (DIRTY, first_kept)):
            for window, first in enumerate(kept):
                batch.delete_range(family, first_pane_id(window, 0).to_bytes(8, "big"), first.to_bytes(8, "big"))
        self._agenda.forget(first_kept)
        self._state.store.write(batch)
        self._writes.append(self._database.forget(self._oldest_ends()))

    def _first_kept(self, kept_ms: Mapping[str, int]) -> list[int]:
        """Return for each window the first pane that still lies within the times `kept_ms`."""
        ends = [self._newest - kept_ms[window] for window in WINDOWS]
        return [first_pane_id(window, end - int(LENGTH_MS[window]) + 1) for window, end in enumerate(ends)]

    def _acknowledge(self, *, now: bool = False) -> None:
        """Tell the shards, which may be in other processes, which of their commits are stored here."""
        if now or time.monotonic() - self._acknowledged_s >= 1:
            self._acknowledged_s = time.monotonic()
            with suppress(OSError):  # a full disk: shards keep what they might forget, and whatever must be stored says so
                write_acknowledged(self._acknowledged_file, self._state.sequences)


def publisher_folder(home: Path) -> Path:
    """Return the folder of the publisher's store."""
    return home / "state" / "publisher"
