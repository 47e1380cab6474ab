"""Tables as the events that replay makes of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from loadgen.replay.events import Reading
from loadgen.replay.formats import open_table
from loadgen.replay.mapping import ColumnMapping, map_columns
from loadgen.replay.opening import content_digest
from loadgen.replay.run import no_times, rows_of_table
from pipeline.columnize import outcomes_of, predictions_of
from pipeline.decode import ReadPrediction
from schemas.errors import TowerError
from schemas.events import Outcome
from schemas.limits import TEXT_LENGTH, EventLimits

JSON = dict[str, object]
NOW_MS = 1_790_000_000_000


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """Write a file, packed when its name ends in .gz and the content is text."""
    path = folder / name
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") and isinstance(content, str) else raw)
    return path


def reading_of(path: Path, mapping: ColumnMapping, delay_ms: int = 0) -> Reading:
    """Return how the tests read a file: as version 1 of the model m, at the time NOW_MS."""
    return Reading("m", "1", path.name, content_digest(path), mapping, delay_ms, EventLimits(), lambda: NOW_MS)


def events_of(
    path: Path, asked: dict[str, str] | None = None, features: list[str] | None = None, delay_ms: int = 0
) -> tuple[list[JSON], list[JSON]]:
    """Return the predictions and outcomes of a file as plain JSON, after the pipeline has accepted them all."""
    table = open_table(path)
    rows = list(rows_of_table(table, reading_of(path, map_columns(table.columns, asked or {}, features, no_times(table)), delay_ms)))
    predictions = [msgspec.json.decode(row.prediction, type=ReadPrediction) for row in rows]
    outcomes = [msgspec.json.decode(row.outcome, type=Outcome) for row in rows if row.outcome is not None]
    predictions_of(predictions, np.arange(len(predictions)), text_length=TEXT_LENGTH)
    if outcomes:
        outcomes_of(outcomes, np.arange(len(outcomes)), text_length=TEXT_LENGTH)
    return [json.loads(row.prediction) for row in rows], [json.loads(row.outcome) for row in rows if row.outcome is not None]


def refusal_of(path: Path, asked: dict[str, str] | None = None) -> str:
    """Return the error with which a file is refused."""
    with pytest.raises(TowerError) as caught:
        events_of(path, asked)
    return str(caught.value)
