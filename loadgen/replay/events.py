"""Chunks of a table as prediction and outcome events."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from loadgen.replay.inputs import features_of, segments_of
from loadgen.replay.mapping import ColumnMapping
from loadgen.replay.table import Chunk
from loadgen.replay.values import (
    ABSENT,
    RowError,
    Value,
    boolean,
    convert,
    epoch_ms,
    not_negative,
    number,
    optional,
    scalar,
    score,
    status,
    text,
)
from schemas.events import Outcome, Prediction
from schemas.limits import EventLimits

T = TypeVar("T")

CLIENT_BYTES = 999_000
"""The largest event that the Kafka client takes by default, with room for its key."""

_MENDS = {
    "created_at": "mend the row, or name another column with --map created_at=COLUMN",
    "prediction": "mend the row, or map `status` if it is an error",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows become events.

    `model_version` is used where no column has it; `file_name` and the `digest` of what is in the file make ids where none has them.
    `limits` are what the pipeline accepts, `clock` returns epoch milliseconds.
    """

    model: str
    model_version: str
    file_name: str
    digest: str
    mapping: ColumnMapping
    label_delay_ms: int
    limits: EventLimits
    clock: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Row:
    """Row `number` as messages. `outcome` is None when the row says nothing that became known later; times in milliseconds."""

    number: int
    key: bytes
    created_at: int
    prediction: bytes
    outcome_at: int
    outcome: bytes | None


def row_id(file_name: str, digest: str, row: int) -> str:
    """Return the prediction id of a row without one: the same each time that the file is replayed, and another in each other file."""
    return f"{file_name[:80]}~{digest}-{row}"


def rows_of_chunk(chunk: Chunk, reading: Reading) -> Iterator[Row]:
    """Return the rows of `chunk` as messages. Raises RowError that names the first row and value that cannot be used."""
    predictions = list(_predictions(chunk, reading))
    encode = msgspec.json.Encoder().encode
    most = min(reading.limits.message_bytes, CLIENT_BYTES)
    pairs = zip(predictions, _outcomes(chunk, reading, predictions), strict=True)
    for row, (prediction, outcome) in enumerate(pairs, start=chunk.first_row):
        created_at = prediction.created_at
        assert isinstance(created_at, int)
        value, key = encode(prediction), prediction.prediction_id.encode()
        if len(value) > most:
            what = f"row {row:,}: the event has {len(value):,} bytes, more than {most:,}"
            raise RowError(what, "leave columns out with --features=-A,-B")
        yield Row(row, key, created_at, value, created_at + reading.label_delay_ms, encode(outcome) if outcome else None)


def _column(chunk: Chunk, reading: Reading, field: str, one: Callable[[Value], T], default: Iterable[T]) -> Iterable[T]:
    column = reading.mapping.fields.get(field)
    if column is None:
        return itertools.islice(default, chunk.size)
    return convert(
        chunk.columns.get(column, [ABSENT] * chunk.size),
        one,
        chunk.first_row,
        column,
        _MENDS.get(field, f"mend the row, or leave the column out with --map {field}="),
    )


def _predictions(chunk: Chunk, reading: Reading) -> Iterator[Prediction]:
    limits = reading.limits
    latest_ms = reading.clock() + limits.max_future_ms

    def time_of(value: Value) -> int:
        moment = epoch_ms(value)
        if moment > latest_ms:
            raise ValueError(f"a time at most {limits.max_future_ms // 1000} s ahead of the clock")
        return moment

    numbers = range(chunk.first_row, chunk.first_row + chunk.size)
    ids = _column(chunk, reading, "prediction_id", text, (row_id(reading.file_name, reading.digest, row) for row in numbers))
    nothing = itertools.repeat(None)
    rows = zip(
        numbers,
        ids,
        _column(chunk, reading, "model_version", text, itertools.repeat(reading.model_version)),
        _column(chunk, reading, "created_at", time_of, ()),
        _column(chunk, reading, "response_time_ms", optional(not_negative), nothing),
        _column(chunk, reading, "status", optional(status), nothing),
        _column(chunk, reading, "prediction", optional(lambda value: scalar(value, limits.text_length)), ()),
        _column(chunk, reading, "score", optional(score), nothing),
        features_of(chunk, reading.mapping, limits.text_length),
        segments_of(chunk, reading.mapping, limits.text_length),
        _column(chunk, reading, "variant", optional(text), nothing),
        _column(chunk, reading, "unit_id", optional(text), nothing),
        strict=True,
    )
    for row, key, version, created_at, latency, state, answer, chance, inputs, segments, variant, unit in rows:
        if answer is None and state != "error":
            column = reading.mapping.fields["prediction"]
            raise RowError(f"row {row:,}, column {column}: expected a prediction, got nothing", _MENDS["prediction"])
        yield Prediction(key, reading.model, version, created_at, latency, state or "ok", answer, chance, inputs, segments, variant, unit)


def _outcomes(chunk: Chunk, reading: Reading, predictions: list[Prediction]) -> Iterator[Outcome | None]:
    nothing = itertools.repeat(None)
    columns = zip(
        predictions,
        _column(chunk, reading, "label", optional(lambda value: scalar(value, reading.limits.text_length)), nothing),
        _column(chunk, reading, "converted", optional(boolean), nothing),
        _column(chunk, reading, "revenue_generated", optional(number), nothing),
        strict=True,
    )
    for prediction, label, converted, revenue in columns:
        if label is None and converted is None and revenue is None:
            yield None
            continue
        assert isinstance(prediction.created_at, int)
        created_at = prediction.created_at + reading.label_delay_ms
        yield Outcome(prediction.prediction_id, reading.model, created_at, label, converted, revenue)
