"""From a batch of messages of one partition to columns, with the bad messages set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from pipeline.cells import Ints
from pipeline.columnize import outcomes_of, predictions_of
from pipeline.columns import Outcomes, Predictions, Progress
from pipeline.decode import Decoder, ReadPrediction, Rejected
from pipeline.faults import outcome_faults, prediction_faults
from pipeline.reasons import Rejection
from pipeline.settings import PipelineSettings
from schemas.events import Outcome
from schemas.limits import EARLIEST_MS
from schemas.topics import PREDICTIONS

Event = TypeVar("Event", ReadPrediction, Outcome)
Columns = TypeVar("Columns", Predictions, Outcomes)


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Messages of one partition: `values` at `offsets`; read up to `end`; `key_at` returns the key at a position."""

    topic: str
    partition: int
    start: int
    end: int
    idle: bool
    offsets: Ints
    values: list[bytes | None]
    key_at: Callable[[int], bytes | None]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that is no event, as received, and why."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    rejection: Rejection


@dataclass(frozen=True, slots=True)
class Intake:
    """What a batch holds."""

    progress: Progress
    predictions: Predictions | None
    outcomes: Outcomes | None
    dead: list[DeadLetter]


class _Reader(Generic[Event, Columns]):
    """Decodes messages of one type, checks their times, and makes columns of them."""

    def __init__(
        self,
        event: type[Event],
        columns_of: Callable[..., Columns],
        settings: PipelineSettings,
        faults: Callable[[Sequence[Event]], dict[int, Rejection]],
    ) -> None:
        self._decoder: Decoder[Event] = Decoder(event, message_bytes=settings.limits.message_bytes)
        self._columns_of: Callable[..., Columns] = columns_of
        self._faults: Callable[[Sequence[Event]], dict[int, Rejection]] = faults
        self._text_length = settings.limits.text_length

    def read(self, values: Sequence[bytes | None], offsets: Ints) -> tuple[Columns | None, list[Rejected]]:
        """Return the columns of the good messages, and the bad ones."""
        positions, events, rejected = self._decoder.decode(values)
        if not events:
            return None, rejected
        kept = offsets if len(positions) == len(offsets) else offsets[positions]
        try:
            return self._columns_of(events, kept, text_length=self._text_length), rejected
        except Rejection:
            bad = self._bad_rows(events, kept)
            rejected.extend(Rejected(positions[row], rejection) for row, rejection in bad.items())
            good = [row for row in range(len(events)) if row not in bad]
            if not good:
                return None, rejected
            return self._columns_of([events[row] for row in good], kept[good], text_length=self._text_length), rejected

    def _bad_rows(self, events: Sequence[Event], offsets: Ints) -> dict[int, Rejection]:
        """Return the rejections by row."""
        bad = self._faults(events)
        left = [row for row in range(len(events)) if row not in bad]
        if left:
            others = self._bad_by_halves([events[row] for row in left], offsets[left], 0)
            bad |= {left[row]: rejection for row, rejection in others.items()}
        return bad

    def _bad_by_halves(self, events: Sequence[Event], offsets: Ints, first: int) -> dict[int, Rejection]:
        """Return the rejections by row, found by halving: a few bad events cost a few passes, not one pass an event."""
        try:
            self._columns_of(events, offsets, text_length=self._text_length)
            return {}
        except Rejection as rejection:
            if len(events) == 1:
                return {first: rejection}
        half = len(events) // 2
        before = self._bad_by_halves(events[:half], offsets[:half], first)
        return before | self._bad_by_halves(events[half:], offsets[half:], first + half)


class EventReader:
    """Reads batches of both topics. `clock` returns epoch milliseconds; `newest` is the largest event time known at the start."""

    def __init__(self, settings: PipelineSettings, clock: Callable[[], int], newest: int) -> None:
        self._settings = settings
        self._clock = clock
        self._newest = newest
        self._predictions = _Reader(ReadPrediction, predictions_of, settings, prediction_faults)
        self._outcomes = _Reader(Outcome, outcomes_of, settings, outcome_faults)

    def read(self, batch: RawBatch) -> Intake:
        """Return the columns of a batch, and its dead letters."""
        predictions: Predictions | None = None
        outcomes: Outcomes | None = None
        rejected: list[Rejected] = []
        newest: int | None = None
        if batch.values and batch.topic == PREDICTIONS:
            predictions, rejected = self._predictions.read(batch.values, batch.offsets)
            predictions, newest = self._in_time(predictions, batch, rejected)
            if newest is not None:
                self._newest = max(self._newest, newest)
        elif batch.values:
            outcomes, rejected = self._outcomes.read(batch.values, batch.offsets)
            outcomes, newest = self._in_time(outcomes, batch, rejected)
        progress = Progress(batch.topic, batch.partition, batch.start, batch.end, newest, batch.idle)
        return Intake(progress, predictions, outcomes, [self._dead(batch, bad) for bad in sorted(rejected, key=lambda bad: bad.position)])

    def _in_time(self, rows: Columns | None, batch: RawBatch, rejected: list[Rejected]) -> tuple[Columns | None, int | None]:
        """Return the rows whose times are accepted, and the largest of those times."""
        if rows is None:
            return None, None
        now = self._clock()
        latest = now + self._settings.max_future_ms
        times = rows.created_at
        in_future = times > latest
        newest = max(self._newest, int(times[~in_future].max(initial=self._newest)))
        earliest = max(EARLIEST_MS, self._settings.first_kept(newest))
        good = ~in_future & (times >= earliest)
        if not good.all():
            for row in np.flatnonzero(~good).tolist():
                position = int(np.searchsorted(batch.offsets, rows.offset[row]))
                rejected.append(Rejected(position, _untimely(int(times[row]), now, latest, earliest)))
            rows = rows.take(np.flatnonzero(good))
        return (rows, int(rows.created_at.max())) if len(rows) else (None, None)

    def _dead(self, batch: RawBatch, bad: Rejected) -> DeadLetter:
        at = bad.position
        return DeadLetter(batch.topic, batch.partition, int(batch.offsets[at]), batch.key_at(at), batch.values[at], bad.rejection)


def _untimely(time: int, now: int, latest: int, earliest: int) -> Rejection:
    if time > latest:
        return Rejection("$.created_at", f"expected a time at most {(latest - now) // 1000} s ahead of the clock, got {_shown(time)}")
    hint = " (epoch milliseconds are expected, not seconds)" if time < EARLIEST_MS and time > 0 else ""
    return Rejection("$.created_at", f"expected a time from {_shown(earliest)} on, got {_shown(time)}{hint}")


def _shown(time: int) -> str:
    in_range = -62_135_596_800_000 <= time <= 253_402_300_799_999
    return str(np.datetime64(time, "ms")) + "Z" if in_range else f"{time} ms"
