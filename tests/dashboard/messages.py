"""Metrics messages and series in few words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from dashboard.scope import Scope
from dashboard.series import Block, Points
from schemas.metrics import WINDOW_LENGTH_MS, MetricRow, MetricsMessage, message_key

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
WHOLE = Scope("churn")


def row(metric: str, value: float, n: int = 100, *, dimension: str = "", low: float | None = None, high: float | None = None) -> MetricRow:
    return MetricRow(dimension, metric, value, n, low, high)


def message(
    window: str, start: int, *rows: MetricRow, scope: Scope = WHOLE, revision: int = 1, updated_at: int | None = None, final: bool = True
) -> MetricsMessage:
    """Return a message; without `updated_at` (ms) it is as new as its revision."""
    end, status = start + WINDOW_LENGTH_MS[window], "final" if final else "provisional"
    return MetricsMessage(*scope, window, start, end, status, revision, revision if updated_at is None else updated_at, list(rows))


def block_of(messages: Sequence[MetricsMessage]) -> Block:
    """Return the messages of one scope and window, in the order of their starts."""
    columns: dict[tuple[str, str], tuple[list[int], list[list[float]]]] = {
        (row.dimension, row.metric): ([], []) for each in messages for row in each.rows
    }
    for at, each in enumerate(messages):
        for row in each.rows:
            places, numbers = columns[row.dimension, row.metric]
            places.append(at)
            numbers.append([row.value, row.n, np.nan if row.low is None else row.low, np.nan if row.high is None else row.high])
    return Block(
        np.array([each.window_start for each in messages], dtype=np.int64),
        np.array([each.revision for each in messages], dtype=np.int64),
        np.array([each.updated_at for each in messages], dtype=np.int64),
        np.array([each.status == "final" for each in messages], dtype=np.bool_),
        {key: (np.array(places), np.array(numbers)) for key, (places, numbers) in columns.items()},
    )


def encoded(each: MetricsMessage) -> tuple[bytes, bytes]:
    """Return key and value as the topic has them."""
    return message_key(each.model, each.model_version, each.segment, each.window, each.window_start), msgspec.json.encode(each)


def points(
    window: str,
    values: Sequence[float],
    *,
    n: float | Sequence[float] = 1_000,
    margin: float | None = 0.0,
    first: int = 0,
) -> Points:
    """Return windows one after the other from `first` (ms) on, each with the interval value +- margin, or with none."""
    value = np.array(values, dtype=np.float64)
    times = first + np.arange(len(value), dtype=np.int64) * (HOUR_MS if window == "7d" else WINDOW_LENGTH_MS[window])
    around = np.nan if margin is None else margin
    counts = np.full(len(value), n, dtype=np.float64) if isinstance(n, int | float) else np.array(n, dtype=np.float64)
    return Points(times, value, counts, value - around, value + around, np.ones(len(value), dtype=np.bool_))
