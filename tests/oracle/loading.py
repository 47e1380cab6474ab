"""Sound records as Arrow tables, parsed with the standard library's JSON so that nothing is shared with the pipeline."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from tests.oracle.records import Record
from tests.oracle.services import Json

DELIVERIES = pa.schema(
    [
        ("model", pa.string()),
        ("id", pa.string()),
        ("version", pa.string()),
        ("created", pa.int64()),
        ("latency", pa.float64()),
        ("failed", pa.bool_()),
        ("answer", pa.string()),
        ("answer_number", pa.float64()),
        ("answer_is_float", pa.bool_()),
        ("variant", pa.string()),
        ("segments", pa.list_(pa.string())),
        ("features", pa.list_(pa.string())),
        ("nulls", pa.list_(pa.bool_())),
        ("partition", pa.int64()),
        ("offset", pa.int64()),
    ]
)
OUTCOMES = pa.schema(
    [
        ("model", pa.string()),
        ("id", pa.string()),
        ("created", pa.int64()),
        ("label", pa.string()),
        ("label_number", pa.float64()),
        ("label_is_float", pa.bool_()),
        ("converted", pa.bool_()),
        ("revenue", pa.float64()),
        ("partition", pa.int64()),
        ("offset", pa.int64()),
    ]
)


@dataclass(slots=True)
class Columns:
    """Rows on their way into an Arrow table."""

    schema: pa.Schema
    rows: list[tuple[object, ...]] = field(default_factory=list)

    def table(self) -> pa.Table:
        """Return the rows as one table; an empty one keeps its types."""
        columns = list(zip(*self.rows, strict=True)) if self.rows else [()] * len(self.schema)
        return pa.table([pa.array(column, kind) for column, kind in zip(columns, self.schema.types, strict=True)], schema=self.schema)


def load(records: Iterable[Record]) -> tuple[pa.Table, pa.Table]:
    """Return (deliveries, outcomes) of all records without a defect; times become epoch ms."""
    deliveries, outcomes = Columns(DELIVERIES), Columns(OUTCOMES)
    for record in records:
        if record.defect is not None or record.value is None:
            continue
        event = json.loads(record.value)
        if record.topic == "predictions":
            deliveries.rows.append(_delivery(event, record))
        else:
            outcomes.rows.append(_outcome(event, record))
    return deliveries.table(), outcomes.table()


def _delivery(event: dict[str, Json], record: Record) -> tuple[object, ...]:
    features, segments = event.get("features") or {}, event.get("segments") or {}
    assert isinstance(features, dict)
    assert isinstance(segments, dict)
    return (
        event["model"],
        event["prediction_id"],
        event["model_version"],
        moment(event["created_at"]),
        event.get("response_time_ms"),
        event.get("status") == "error",
        *scalar(event.get("prediction")),
        event.get("variant"),
        [f"{name}={value}" for name, value in segments.items()],
        list(features),
        [value is None for value in features.values()],
        record.partition,
        record.offset,
    )


def _outcome(event: dict[str, Json], record: Record) -> tuple[object, ...]:
    return (
        event["model"],
        event["prediction_id"],
        moment(event["created_at"]),
        *scalar(event.get("label")),
        event.get("converted"),
        event.get("revenue_generated"),
        record.partition,
        record.offset,
    )


def moment(written: Json) -> int:
    """Return a `created_at` in whole milliseconds since the epoch."""
    if isinstance(written, str):
        return math.floor(datetime.fromisoformat(written).timestamp() * 1000 + 1e-3)
    assert isinstance(written, int | float)
    return math.floor(written)


def scalar(value: Json) -> tuple[str | None, float | None, bool]:
    """Return (class, number, is it written as a float) of a prediction or label; no class when it is absent.

    The class is a key such as `i:1`, `f:1.5`, `s:1`: classes compare by JSON type, booleans as 0 and 1.
    A boolean is no number.
    """
    if value is None:
        return None, None, False
    if isinstance(value, bool):
        return f"i:{int(value)}", None, False
    if isinstance(value, int):
        return f"i:{value}", float(value), False
    if isinstance(value, float):
        return f"f:{value!r}", value, True
    return f"s:{value}", None, False


def class_name(key: str) -> str:
    """Return how a class is written in `class=<value>`: strings bare, unless they would read as another type."""
    kind, text = key.split(":", 1)
    if kind != "s":
        return text
    try:
        other = json.loads(text, parse_constant=_no_json)
    except ValueError:
        return text
    return json.dumps(text) if other is None or isinstance(other, bool | int | float) else text


def class_json(key: str) -> str:
    """Return a class as JSON."""
    kind, text = key.split(":", 1)
    return json.dumps(text, ensure_ascii=False) if kind == "s" else text


def _no_json(word: str) -> None:
    """Refuse `NaN` and `Infinity`, which Python reads but JSON does not know."""
    raise ValueError(word)
