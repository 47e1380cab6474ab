"""Chunks of a table as prediction and outcome events."""

from __future__ import annotations

import hashlib
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

T = TypeVar("T")

_MENDS = {
    "created_at": "mend the row, or name another column with --map created_at=COLUMN",
    "prediction": "mend the row, or map `status` if it is an error",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows become events. `model_version` is used where no column has it, and `file_name` in ids where none has them."""

    model: str
    model_version: str
    file_name: str
    mapping: ColumnMapping
    label_delay_ms: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row as messages. `outcome` is None when the row says nothing that became known later; times in milliseconds."""

    key: bytes
    created_at: int
    prediction: bytes
    outcome_at: int
    outcome: bytes | None


def row_id(file_name: str, row: int) -> str:
    """Return the prediction id of a row without one: the same each time that the file is replayed."""
    if len(file_name) > 100:
        file_name = f"{file_name[:80]}~{hashlib.sha256(file_name.encode()).hexdigest()[:12]}"
    return f"{file_name}-{row}"


def rows_of_chunk(chunk: Chunk, reading: Reading) -> Iterator[Row]:
    """Return the rows of `chunk` as messages. Raises RowError that names the first row and value that cannot be used."""
    predictions = list(_predictions(chunk, reading))
    encode = msgspec.json.Encoder().encode
    for prediction, outcome in zip(predictions, _outcomes(chunk, reading, predictions), strict=True):
        created_at = prediction.created_at
        assert isinstance(created_at, int)
        due = created_at + reading.label_delay_ms
        yield Row(prediction.prediction_id.encode(), created_at, encode(prediction), due, encode(outcome) if outcome else None)


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
    numbers = range(chunk.first_row, chunk.first_row + chunk.size)
    ids = _column(chunk, reading, "prediction_id", text, (row_id(reading.file_name, row) for row in numbers))
    nothing = itertools.repeat(None)
    rows = zip(
        numbers,
        ids,
        _column(chunk, reading, "model_version", text, itertools.repeat(reading.model_version)),
        _column(chunk, reading, "created_at", epoch_ms, ()),
        _column(chunk, reading, "response_time_ms", optional(not_negative), nothing),
        _column(chunk, reading, "status", optional(status), nothing),
        _column(chunk, reading, "prediction", optional(scalar), ()),
        _column(chunk, reading, "score", optional(score), nothing),
        features_of(chunk, reading.mapping),
        segments_of(chunk, reading.mapping),
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
        _column(chunk, reading, "label", optional(scalar), nothing),
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
