"""Replaying a file: opened, mapped, printed, sent."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from loadgen.app import finish
from loadgen.progress import Progress
from loadgen.replay.events import Reading, Row, rows_of_chunk
from loadgen.replay.formats import open_table
from loadgen.replay.mapping import ColumnMapping, map_columns
from loadgen.replay.table import Table
from loadgen.sending import Sender
from loadgen.stopping import stop_on_signals
from loadgen.topics import await_topics
from schemas.errors import ConfigurationError, TowerError
from schemas.events import NAME_LENGTH
from schemas.kafka import KafkaSettings
from schemas.topics import OUTCOMES, PREDICTIONS

DEFAULT_VERSION = "1"
MAX_FUTURE_MS = 300_000
"""Events further ahead of the clock are dead letters to the pipeline."""
_WAITING_OUTCOMES = 100_000
_TEXT_FIELDS = ("prediction_id", "model_version", "variant", "unit_id", "status")


def replay(
    *,
    kafka: KafkaSettings,
    file: Path,
    model: str,
    model_version: str | None,
    mapping: dict[str, str],
    features: list[str] | None,
    label_delay_ms: int | None,
    speed: float | None,
    out: TextIO,
    stop: threading.Event | None = None,
) -> None:
    """Send the rows of `file` (Parquet, CSV, NDJSON) as predictions of `model`, and what they say of the outcome as outcomes.

    `mapping` maps fields to columns; others are guessed when obvious, and all are printed. `features` are the columns that become features
    (with `-` before: that do not); None: all that are left. Outcomes are `label_delay_ms` later than their predictions. `speed`
    is event time over wall time; None: as fast as possible. Memory does not grow with the file.

    Raises ConfigurationError for a file, column or option that cannot be, TowerError when the file is empty, RowError for
    a row that cannot be sent (chunks of rows before it have been), BrokerUnavailable when Kafka refuses.
    """
    _check(model, model_version, mapping, speed)
    table = open_table(file)
    columns = map_columns(table.columns, mapping, features)
    if model_version is not None:
        columns.fields.pop("model_version", None)
    reading = Reading(model, model_version or DEFAULT_VERSION, file.name, columns, label_delay_ms or 0)
    for line in describe_mapping(table, reading):
        print(line, file=out)
    out.flush()
    with stop_on_signals() as signalled:
        flag = stop or signalled
        if await_topics(kafka, out, flag):
            _send(kafka, file, _rows(table, reading), speed, flag, out)


def describe_mapping(table: Table, reading: Reading) -> list[str]:
    """Return the lines that say what becomes of each column."""
    mapping = reading.mapping
    lines = [f"replaying {reading.file_name} as predictions of {reading.model}"]
    for field, column in mapping.fields.items():
        lines.append(f"  {field:<18} <- {column} ({table.columns[column]})")
    for name, column in mapping.segments.items():
        lines.append(f"  {'segments.' + name:<18} <- {column} ({table.columns[column]})")
    lines.append(f"  {'features':<18} <- {', '.join(mapping.features.values()) or 'none'}")
    if mapping.unused:
        lines.append(f"  {'not used':<18} <- {', '.join(mapping.unused)}")
    if "model_version" not in mapping.fields:
        lines.append(f"  {'model_version':<18} =  {reading.model_version}")
    if "prediction_id" not in mapping.fields:
        lines.append(f"  {'prediction_id':<18} =  file name and row number")
    kinds = [table.columns[mapping.fields[field]] for field in ("prediction", "label") if field in mapping.fields]
    if set(kinds) == {"BIGINT", "DOUBLE"}:
        lines.append("  note: one of prediction and label has decimals, so they count as numeric targets (mae, rmse), not as classes")
    return lines


def _check(model: str, model_version: str | None, mapping: dict[str, str], speed: float | None) -> None:
    for name, value in (("--model", model), ("--model-version", model_version)):
        if value is not None and not 1 <= len(value) <= NAME_LENGTH:
            raise ConfigurationError(f"{name} must have 1 to {NAME_LENGTH} characters", "give another name")
    if model_version is not None and mapping.get("model_version"):
        raise ConfigurationError("--model-version and --map model_version=... exclude each other", "give one of them")
    if speed is not None and not speed > 0:
        raise ConfigurationError(f"--speed must be more than 0, not {speed:g}", "give a positive number, or max")


def _rows(table: Table, reading: Reading) -> Iterator[Row]:
    mapping: ColumnMapping = reading.mapping
    texts = {mapping.fields[field] for field in _TEXT_FIELDS if field in mapping.fields} | set(mapping.segments.values())
    seen = 0
    for chunk in table.chunks(mapping.fields["created_at"], texts):
        seen += chunk.size
        yield from rows_of_chunk(chunk, reading)
    if seen == 0:
        raise TowerError(f"{reading.file_name} has no rows", "give a file with at least one row")


@dataclass(slots=True)
class _Sent:
    rows: int = 0
    outcomes: int = 0
    ahead: int = 0
    unborn: int = 0


def _send(kafka: KafkaSettings, file: Path, rows: Iterator[Row], speed: float | None, stop: threading.Event, out: TextIO) -> None:
    sender = Sender(kafka, out, stop, linger_ms=20)
    run = _Run(sender, speed, stop, Progress(out, time.monotonic))
    try:
        run.send_all(rows)
    except TowerError:
        sender.finish()
        print(f"{run.sent.rows:,} rows had been sent; {sender.report()}", file=out, flush=True)
        raise
    print(f"{run.sent.rows:,} rows of {file.name}: {run.sent.rows:,} predictions, {run.sent.outcomes:,} outcomes", file=out)
    if run.sent.ahead:
        print(f"{run.sent.ahead:,} predictions are in the future: the pipeline takes them for errors", file=out)
    if run.sent.unborn:
        print(f"{run.sent.unborn:,} outcomes would be in the future and were left out", file=out)
    finish(sender, stop, out)


class _Run:
    """Sends rows in their order, as fast as possible or `speed` times as fast as they happened."""

    def __init__(self, sender: Sender, speed: float | None, stop: threading.Event, progress: Progress) -> None:
        self.sent = _Sent()
        self._sender = sender
        self._speed = speed
        self._stop = stop
        self._progress = progress
        self._started = time.monotonic()
        self._first_ms: int | None = None
        self._waiting: deque[Row] = deque()

    def send_all(self, rows: Iterator[Row]) -> None:
        """Send all rows, unless stopped; what was sent is in `sent` at any time."""
        for row in rows:
            self._await(row.created_at)
            if self._stop.is_set() or not self._sender.send(PREDICTIONS, row.key, row.prediction):
                return
            self.sent.rows += 1
            now_ms = time.time_ns() // 1_000_000
            self.sent.ahead += row.created_at > now_ms + MAX_FUTURE_MS
            if row.outcome is not None:
                if row.outcome_at > max(now_ms, row.created_at):
                    self.sent.unborn += 1
                elif self._speed is None or len(self._waiting) >= _WAITING_OUTCOMES:
                    self._send_outcome(row)
                else:
                    self._waiting.append(row)
            if self.sent.rows % 256 == 0:
                self._sender.poll()
                self._progress.tick(self._sender.counts, f"row {self.sent.rows:,}")
        while self._waiting and not self._stop.is_set():
            self._await(self._waiting[0].outcome_at)

    def _send_outcome(self, row: Row) -> None:
        assert row.outcome is not None
        self.sent.outcomes += self._sender.send(OUTCOMES, row.key, row.outcome)

    def _await(self, due_ms: int) -> None:
        """Wait until the replay's event time has reached `due_ms`; send the outcomes that are due on the way."""
        if self._speed is None:
            return
        if self._first_ms is None:
            self._first_ms = due_ms
        while not self._stop.is_set():
            event_ms = self._first_ms + (time.monotonic() - self._started) * 1000 * self._speed
            while self._waiting and self._waiting[0].outcome_at <= min(event_ms, due_ms):
                self._send_outcome(self._waiting.popleft())
            if event_ms >= due_ms:
                return
            self._sender.poll()
            self._progress.tick(self._sender.counts, f"row {self.sent.rows:,}")
            self._stop.wait(min((due_ms - event_ms) / 1000 / self._speed, 0.05))
