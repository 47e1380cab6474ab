"""Replaying a file: opened, mapped, printed, sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TextIO

from loadgen.app import finish
from loadgen.progress import EVERY_S, Progress
from loadgen.replay.events import Reading, Row, rows_of_chunk
from loadgen.replay.formats import check_file, open_table
from loadgen.replay.mapping import map_columns
from loadgen.replay.opening import content_digest
from loadgen.replay.paced import PacedReplay
from loadgen.replay.pairing import pairing_notes
from loadgen.replay.table import Table, Watch
from loadgen.replay.values import RowError, Value, epoch_ms
from loadgen.sending import Sender
from loadgen.stopping import Stopped, stop_on_signals
from loadgen.topics import await_topics
from schemas.errors import ConfigurationError, TowerError
from schemas.events import NAME_LENGTH
from schemas.kafka import KafkaSettings
from schemas.limits import EventLimits

DEFAULT_VERSION = "1"
_DAY_MS = 86_400_000
_TEXT_FIELDS = ("prediction_id", "model_version", "variant", "unit_id", "status")


def replay(
    *,
    kafka: AbstractContextManager[KafkaSettings],
    file: Path,
    model: str,
    model_version: str | None,
    mapping: dict[str, str],
    features: list[str] | None,
    label_delay_ms: int | None,
    speed: float | None,
    out: TextIO,
    limits: EventLimits | None = None,
    stop: threading.Event | None = None,
) -> bool:
    """Send the rows of `file` (Parquet, CSV, NDJSON) as predictions of `model`, and what they say of the outcome as outcomes.

    `kafka` is entered when the file and all that was asked are understood: nothing is started for what cannot be.
    `mapping` maps fields to columns; others are guessed when obvious, and all are printed. `features` are the columns that become features
    (with `-` before: that do not); None: all that are left. Outcomes are `label_delay_ms` later than their predictions. `speed`
    is event time over wall time; None: as fast as possible. `limits` are what the pipeline accepts. Memory does not grow with the file.

    Returns whether all rows were sent: false when SIGTERM, Ctrl-C or `stop` ended it before.
    Raises ConfigurationError for a file, column or option that cannot be, TowerError when the file is empty, RowError for
    a row that cannot be sent (chunks of rows before it have been), BrokerUnavailable when Kafka refuses or does not acknowledge all.
    """
    _check(model, model_version, mapping, speed)
    check_file(file)
    table = _opened(file, stop, out)
    if table is None:
        print(f"stopped while the types of {file.name} were read; nothing was sent", file=out, flush=True)
        return False
    columns = map_columns(table.columns, mapping, features, no_times(table))
    if model_version is not None:
        columns.fields.pop("model_version", None)
    reading = Reading(
        model=model,
        model_version=model_version or DEFAULT_VERSION,
        file_name=file.name.encode(errors="replace").decode(),
        digest=content_digest(file),
        mapping=columns,
        label_delay_ms=label_delay_ms or 0,
        limits=limits or EventLimits(),
        clock=lambda: time.time_ns() // 1_000_000,
    )
    for line in describe_mapping(table, reading):
        print(line, file=out)
    out.flush()
    with kafka as reached, stop_on_signals() as signalled:
        flag = stop or signalled
        if not await_topics(reached, out, flag):
            print("stopped before anything was sent", file=out, flush=True)
            return False
        return _send(reached, reading, rows_of_table(table, reading), speed, flag, out)


def describe_mapping(table: Table, reading: Reading) -> list[str]:
    """Return the lines that say what becomes of each column."""
    mapping = reading.mapping
    kinds = {name: " or ".join(found) for name, found in table.columns.items()}
    lines = [f"replaying {reading.file_name} as predictions of {reading.model}"]
    for field, column in mapping.fields.items():
        lines.append(f"  {field:<18} <- {column} ({kinds[column]})")
    for name, column in mapping.segments.items():
        lines.append(f"  {'segments.' + name:<18} <- {column} ({kinds[column]})")
    lines.append(f"  {'features':<18} <- {', '.join(mapping.features.values()) or 'none'}")
    if mapping.unused:
        lines.append(f"  {'not used':<18} <- {', '.join(mapping.unused)}")
    if "model_version" not in mapping.fields:
        lines.append(f"  {'model_version':<18} =  {reading.model_version}")
    if "prediction_id" not in mapping.fields:
        lines.append(f"  {'prediction_id':<18} =  file name, digest of its content, and row number")
    if "label" in mapping.fields:
        notes = pairing_notes(table.columns[mapping.fields["prediction"]], table.columns[mapping.fields["label"]])
        lines.extend(f"  note: {note}" for note in notes)
    return lines


def rows_of_table(table: Table, reading: Reading) -> Iterator[Row]:
    """Return the rows of `table` as messages.

    Raises RowError for a row that cannot be sent, also because it is older than what the pipeline keeps from the newest one on;
    TowerError when there are none.
    """
    mapping, kept_ms = reading.mapping, reading.limits.kept_ms
    texts = {mapping.fields[field] for field in _TEXT_FIELDS if field in mapping.fields} | set(mapping.segments.values())
    newest_ms = 0
    for chunk in table.chunks(mapping.fields["created_at"], texts):
        for row in rows_of_chunk(chunk, reading):
            newest_ms = max(newest_ms, row.created_at)
            if row.created_at < newest_ms - kept_ms:
                what = f"row {row.number:,}: {kept_ms // _DAY_MS:,} days older than the newest row before it, too old for the pipeline"
                raise RowError(what, "replay the newest years alone, or set retention.1d")
            yield row
    if newest_ms == 0:
        raise TowerError(f"{reading.file_name} has no rows", "give a file with at least one row")


def _check(model: str, model_version: str | None, mapping: dict[str, str], speed: float | None) -> None:
    for name, value in (("--model", model), ("--model-version", model_version)):
        if value is None:
            continue
        if not 1 <= len(value) <= NAME_LENGTH:
            raise ConfigurationError(f"{name} must have 1 to {NAME_LENGTH} characters", "give another name")
        if value != value.encode(errors="replace").decode():
            raise ConfigurationError(f"{name} is not UTF-8", "give another name")
    if model_version is not None and mapping.get("model_version"):
        raise ConfigurationError("--model-version and --map model_version=... exclude each other", "give one of them")
    if speed is not None and not speed > 0:
        raise ConfigurationError(f"--speed must be more than 0, not {speed:g}", "give a positive number, or max")


def _opened(file: Path, stop: threading.Event | None, out: TextIO) -> Table | None:
    """Return the table in a file, or None when that was stopped while the types were read."""
    with stop_on_signals() as signalled, suppress(Stopped):
        flag = stop or signalled
        table = open_table(file, _watch(file, flag, out))
        if not flag.is_set():
            return table
    return None


def _watch(file: Path, stop: threading.Event, out: TextIO) -> Watch:
    """Return what is called while the types of a file are read: it says how far that is, and raises Stopped once `stop` is set."""
    said = time.monotonic()

    def look(share: float) -> None:
        nonlocal said
        if stop.is_set():
            raise Stopped
        if time.monotonic() - said >= EVERY_S:
            said = time.monotonic()
            print(f"reading the types of {file.name}: {share:.0%}", file=out, flush=True)

    return look


def no_times(table: Table) -> dict[str, Value]:
    """Return the columns of numbers that are no times, with an example."""
    found: dict[str, Value] = {}
    for name, value in table.examples.items():
        if isinstance(value, (int, float)):
            try:
                epoch_ms(value)
            except (ValueError, OverflowError):
                found[name] = value
    return found


def _send(kafka: KafkaSettings, reading: Reading, rows: Iterator[Row], speed: float | None, stop: threading.Event, out: TextIO) -> bool:
    sender = Sender(kafka, out, stop, linger_ms=20)
    run = PacedReplay(sender, speed, stop, Progress(out, time.monotonic), out)
    try:
        done = run.send_all(rows)
    except Exception:
        sender.finish()
        print(f"{run.sent.rows:,} rows had been sent; {sender.report()}", file=out, flush=True)
        raise
    if done:
        print(f"{run.sent.rows:,} rows of {reading.file_name}: {run.sent.rows:,} predictions, {run.sent.outcomes:,} outcomes", file=out)
    else:
        print(f"stopped after row {run.sent.rows:,} of {reading.file_name}, with {run.sent.outcomes:,} outcomes sent", file=out)
    for note in run.sent.notes():
        print(note, file=out)
    finish(sender, out)
    return done
