"""Metric names, windows, and the message that carries metrics.

A metric is a row (model, model_version, segment, dimension, metric, window, window_start).
A message on `tower.metrics` carries all rows of one (model, model_version, segment, window, window_start); one with that key
and no value (a tombstone) takes them back; its header REVISION tells as of which revision.
"""

from __future__ import annotations

import enum
import itertools
from dataclasses import dataclass

import msgspec

ALL = "*"
"""All versions together, or all segments together."""
OTHER = "__other__"
"""What is beyond a limit of distinct models, versions, segment values, features, classes or variants."""

ROLLING = "7d"
WINDOW_LENGTH_MS: dict[str, int] = {
    "10s": 10_000,
    "1m": 60_000,
    "1h": 3_600_000,
    "1d": 86_400_000,
    ROLLING: 7 * 86_400_000,
}
"""Window names and their lengths. `7d` is rolling with a step of one hour, the others are tumbling."""
TUMBLING = ("10s", "1m", "1h", "1d")
ROLLING_STEP_MS = 3_600_000

DEFAULT_RETENTION_MS: dict[str, int] = {
    "10s": 6 * 3_600_000,
    "1m": 2 * 86_400_000,
    "1h": 400 * 86_400_000,
    "1d": 3650 * 86_400_000,
    ROLLING: 400 * 86_400_000,
}


class Category(enum.StrEnum):
    """The four questions that an operator asks of a model."""

    PERFORMANCE = "performance"
    OPERATIONAL = "operational"
    DATA_QUALITY = "data_quality"
    BUSINESS = "business"


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric is called, belongs to, and is measured in.

    `unit` is one of `""` (a count), `"1/s"`, `"ms"`, `"%"` (0-100), `"ratio"` (0-1), `"currency"`, `"target"` (the target's unit).
    """

    name: str
    category: Category
    unit: str
    meaning: str


def _metrics(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


_P, _O, _Q, _B = Category.PERFORMANCE, Category.OPERATIONAL, Category.DATA_QUALITY, Category.BUSINESS
METRICS: dict[str, Metric] = _metrics(
    Metric("prediction_volume", _O, "", "distinct predictions"),
    Metric("throughput_per_s", _O, "1/s", "predictions per second over the window, or the part of it gone by"),
    Metric("error_rate", _O, "ratio", "share of predictions with status error"),
    Metric("latency_avg_ms", _O, "ms", "mean response time"),
    Metric("latency_p50_ms", _O, "ms", "median response time"),
    Metric("latency_p90_ms", _O, "ms", "response time that 90 % stay below"),
    Metric("latency_p95_ms", _O, "ms", "response time that 95 % stay below"),
    Metric("latency_p99_ms", _O, "ms", "response time that 99 % stay below"),
    Metric("latency_max_ms", _O, "ms", "largest response time"),
    Metric("latency_histogram", _O, "", "response times by how long they were, in windows of an hour and of a day"),
    Metric("input_null_percentage", _Q, "%", "explicit nulls among the values sent, per feature or over all"),
    Metric("accuracy", _P, "ratio", "share of labelled predictions that were right"),
    Metric("precision", _P, "ratio", "right among those predicted to be of the class"),
    Metric("recall", _P, "ratio", "found among those that are of the class"),
    Metric("f1_score", _P, "ratio", "harmonic mean of precision and recall"),
    Metric("f1_score_rolling_7d", _P, "ratio", "F1 from the pooled counts of seven days"),
    Metric("confusion", _P, "", "labelled predictions by predicted and actual class, in windows of an hour and of a day"),
    Metric("label_coverage", _P, "ratio", "share of predictions with a label"),
    Metric("mae", _P, "target", "mean absolute error"),
    Metric("rmse", _P, "target", "root of the mean squared error"),
    Metric("conversion_rate", _B, "ratio", "share converted among those whose outcome is known"),
    Metric("conversion_rate_uplift", _B, "ratio", "a variant's conversion rate less that of control"),
    Metric("conversion_rate_uplift_relative", _B, "ratio", "that difference over control's rate"),
    Metric("revenue", _B, "currency", "sum of revenue_generated"),
    Metric("revenue_per_prediction", _B, "currency", "revenue over prediction_volume"),
    Metric("duplicate_predictions", _Q, "", "repeated deliveries of a prediction id"),
    Metric("unmatched_outcomes", _Q, "", "outcomes that waited for the label horizon and found no prediction within it, by their own time"),
    Metric("late_events", _Q, "", "predictions read when their window was already final"),
)

LATENCY_EDGES_MS = tuple(float(f"{digit}e{power}") for power in range(-1, 5) for digit in (1, 2, 5))
"""Where the histogram of latencies is divided: 0.1, 0.2, 0.5, 1 and so on up to 50,000 ms."""


def _intervals(edges: tuple[float, ...]) -> tuple[str, ...]:
    ends = [f"{edge:g}" for edge in edges]
    return (f"[0,{ends[0]}]", *(f"({low},{high}]" for low, high in itertools.pairwise(ends)), f"({ends[-1]},inf)")


LATENCY_INTERVALS = _intervals(LATENCY_EDGES_MS)
"""What lies between the edges, in ascending order, as `response_time_ms=(20,50]` has it in a dimension: above 20 ms and at most 50 ms."""


class MetricRow(msgspec.Struct, frozen=True, gc=False):
    """One number of a message; `n` is what it was computed from, `low` and `high` a 95 % interval."""

    dimension: str
    metric: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None


REVISION = "revision"
_END_OF_TIME = 2**63 - 1


class MetricsMessage(msgspec.Struct, frozen=True):
    """The value of a message on `tower.metrics`; times in milliseconds since the epoch."""

    model: str
    model_version: str
    segment: str
    window: str
    window_start: int
    window_end: int
    status: str
    revision: int
    updated_at: int
    rows: list[MetricRow]


def message_key(model: str, model_version: str, segment: str, window: str, window_start: int) -> bytes:
    """Return the Kafka key of a metrics message: a JSON array, so that no separator can be forged."""
    return msgspec.json.encode([model, model_version, segment, window, window_start])


def withdrawn(key: bytes, revision: int) -> MetricsMessage:
    """Return what a tombstone says as a message: as of `revision` that window has no rows any more.

    No clock has a say in it: one that was set back since would bring them back. Raises msgspec.DecodeError when the key is none of ours.
    """
    model, version, segment, window, start = msgspec.json.decode(key, type=tuple[str, str, str, str, int])
    length = WINDOW_LENGTH_MS.get(window, 0)
    return MetricsMessage(model, version, segment, window, start, start + length, "final", revision, _END_OF_TIME, [])
