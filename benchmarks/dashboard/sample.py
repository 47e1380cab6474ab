"""Metrics as a pipeline would publish them, for three models: made from a seed, written to the topic and to a lake."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Producer

from schemas.kafka import KafkaSettings, producer_config
from schemas.lake import export_manifest, metrics_folder
from schemas.metrics import LATENCY_EDGES_MS, LATENCY_INTERVALS, ROLLING_STEP_MS, WINDOW_LENGTH_MS, MetricRow, MetricsMessage, message_key
from schemas.topics import METRICS

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
_NORMAL = NormalDist()
_STRUCT = pa.struct(
    [
        ("dimension", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("n", pa.int64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class SampleModel:
    """A model whose numbers are made up: `kind` is `binary`, `multiclass` or `regression`."""

    name: str
    kind: str
    features: Sequence[str]
    latency_ms: float
    per_s: float
    variants: Sequence[str] = ()
    versions: Sequence[str] = ("v1", "v2")
    segments: Sequence[str] = ("region=eu", "region=us", "plan=free", "plan=pro")


CHURN = SampleModel("churn", "binary", ("tenure", "monthly_charges", "contract", "support_calls", "age"), 45, 120, ("control", "treatment"))
DIGITS = SampleModel("digits", "multiclass", ("pixels", "device"), 18, 300)
DIABETES = SampleModel("diabetes-progression", "regression", ("bmi", "bp", "s1", "s5", "age"), 8, 40)
MODELS = (CHURN, DIGITS, DIABETES)


@dataclass(frozen=True, slots=True)
class Incident:
    """What is wrong with one model for a while."""

    model: str
    start_ms: int
    latency: float = 1.0
    errors: float = 0.0
    nulls: dict[str, float] = field(default_factory=dict)
    f1_loss: float = 0.0


def _share(row: str, metric: str, share: float, n: int, scale: float = 1.0) -> MetricRow:
    half = 1.96 * (max(share * (1 - share), 1e-4) / max(n, 1)) ** 0.5
    return MetricRow(row, metric, share * scale, n, max(0.0, share - half) * scale, min(1.0, share + half) * scale)


def message(
    model: SampleModel,
    window: str,
    start: int,
    *,
    version: str = "*",
    segment: str = "*",
    final: bool = True,
    now_ms: int,
    incidents: Sequence[Incident] = (),
    part: float = 1.0,
    revision: int = 1,
) -> MetricsMessage:
    """Return one window's message; `part` of the window has gone by."""
    rng = np.random.default_rng(zlib.crc32(repr((model.name, window, start, version, segment)).encode()))
    length_s = WINDOW_LENGTH_MS[window] / 1000
    middle = start + WINDOW_LENGTH_MS[window] // 2
    trouble = [
        each for each in incidents if each.model == model.name and start + WINDOW_LENGTH_MS[window] > each.start_ms and window != "7d"
    ]
    daily = 1 + 0.45 * np.sin(2 * np.pi * (middle % DAY_MS) / DAY_MS - 2)
    scale = (1 if version == "*" else 0.8 if version == "v1" else 0.2) * (1 if segment == "*" else 0.45)
    rate = float(model.per_s * scale * (1 if window == "7d" else daily) * (1 + 0.03 * rng.standard_normal()))
    n = max(1, int(rate * length_s * part))
    latency = model.latency_ms * math.prod(each.latency for each in trouble) * (1 + 0.05 * float(rng.standard_normal()))
    rows = [MetricRow("", "prediction_volume", n, n), MetricRow("", "throughput_per_s", rate, n)]
    rows.append(_share("", "error_rate", min(1.0, 0.003 * rng.uniform(0.6, 1.5) + sum(each.errors for each in trouble)), n))
    for metric, factor in (("avg", 1.1), ("p50", 1), ("p90", 2.1), ("p95", 2.8), ("p99", 5.2), ("max", 14)):
        value = float(latency * factor * (1 + (0.06 if factor > 2 else 0.02) * rng.standard_normal()))
        rows.append(MetricRow("", f"latency_{metric}_ms", value, n, value * 0.96, value * 1.05))
    if window == "1h":
        rows += list(_histogram(latency, n))
    nulls = [min(1.0, 0.015 * rng.uniform(0.8, 1.2) + sum(each.nulls.get(name, 0) for each in trouble)) for name in model.features]
    rows.append(_share("", "input_null_percentage", float(np.mean(nulls)), n * len(nulls), 100))
    rows += [_share(f"feature={name}", "input_null_percentage", share, n, 100) for name, share in zip(model.features, nulls, strict=True)]
    rows.append(MetricRow("", "duplicate_predictions", float(rng.poisson(n / 2000)), n))
    rows.append(MetricRow("", "late_events", float(rng.poisson(n / 9000)), n))
    coverage = 0.35 * min(1.0, max(0.0, (now_ms - middle) / (6 * HOUR_MS))) + 0.05
    labelled = max(1, int(n * coverage))
    rows.append(_share("", "label_coverage", coverage, n))
    rows += list(_quality(model, rng, labelled, window, sum(each.f1_loss for each in trouble)))
    rows += list(_business(model, rng, labelled))
    return MetricsMessage(
        model.name,
        version,
        segment,
        window,
        start,
        start + WINDOW_LENGTH_MS[window],
        "final" if final else "provisional",
        revision,
        now_ms,
        rows,
    )


def _quality(model: SampleModel, rng: np.random.Generator, n: int, window: str, loss: float) -> Iterator[MetricRow]:
    if model.kind == "regression":
        rmse = 54 * (1 + 0.4 / n**0.5 * float(rng.standard_normal())) * (1 + loss)
        yield MetricRow("", "rmse", rmse, n, rmse * (1 - 1.4 / n**0.5), rmse * (1 + 1.4 / n**0.5))
        yield MetricRow("", "mae", 0.8 * rmse, n, 0.8 * rmse * (1 - 1.4 / n**0.5), 0.8 * rmse * (1 + 1.4 / n**0.5))
        return
    f1 = float(np.clip((0.84 if model.kind == "binary" else 0.965) - loss + 0.3 / n**0.5 * rng.standard_normal(), 0, 1))
    yield _share("", "f1_score", f1, n)
    if window == "7d":
        yield _share("", "f1_score_rolling_7d", f1, n)
    for metric, more in (("accuracy", 0.03), ("precision", 0.012), ("recall", -0.011)):
        yield _share("", metric, min(1.0, max(0.0, f1 + more)), n)
    if window == "1h":
        classes, right = range(2 if model.kind == "binary" else 10), round(n * min(1.0, f1 + 0.03))
        yield from _confusion(len(classes), right, n - right, n)
    if model.kind == "multiclass":
        for digit in range(10):
            yield _share(f"class={digit}", "f1_score", float(np.clip(f1 + 0.03 - 0.008 * digit, 0, 1)), n // 10 + 1)


def _histogram(median: float, n: int) -> Iterator[MetricRow]:
    """Yield how many of `n` response times lie in each interval: lognormal, with a 99th percentile of 5.2 times the median."""
    ends = [n * _NORMAL.cdf(math.log(edge / median) / 0.709) for edge in LATENCY_EDGES_MS]
    for interval, below, upto in zip(LATENCY_INTERVALS, [0.0, *ends], [*ends, float(n)], strict=True):
        if round(upto) > round(below):
            yield MetricRow(f"response_time_ms={interval}", "latency_histogram", round(upto) - round(below), n)


def _confusion(classes: int, right: int, wrong: int, n: int) -> Iterator[MetricRow]:
    """Yield the pairs of classes: all as often right, and each taken for the next one as often."""
    for actual in range(classes):
        yield MetricRow(f"predicted_actual=[{actual},{actual}]", "confusion", right // classes, n)
        yield MetricRow(f"predicted_actual=[{(actual + 1) % classes},{actual}]", "confusion", wrong // classes, n)


def _business(model: SampleModel, rng: np.random.Generator, n: int) -> Iterator[MetricRow]:
    if not model.variants:
        return
    rates = {"control": 0.112, "treatment": 0.121}
    yield _share("", "conversion_rate", 0.116, n)
    for variant in model.variants:
        rate = float(np.clip(rates.get(variant, 0.11) + 0.25 / n**0.5 * rng.standard_normal(), 0, 1))
        yield _share(f"variant={variant}", "conversion_rate", rate, n // 2 + 1)
        if variant != "control":
            half = 1.96 * (2 * 0.1 / max(1, n // 2)) ** 0.5
            yield MetricRow(f"variant={variant}", "conversion_rate_uplift", rate - 0.112, n, rate - 0.112 - half, rate - 0.112 + half)
    yield MetricRow("", "revenue", n * 0.116 * 29, n)


def starts(window: str, since: int, until: int) -> range:
    """Return the window starts that lie from `since` on and begin before `until`; the rolling ones by their end."""
    if window == "7d":
        first_end = -(-since // ROLLING_STEP_MS) * ROLLING_STEP_MS
        return range(first_end - 7 * DAY_MS, until + ROLLING_STEP_MS - 7 * DAY_MS, ROLLING_STEP_MS)
    length = WINDOW_LENGTH_MS[window]
    return range(since // length * length, until, length)


def history(
    models: Iterable[SampleModel], now_ms: int, incidents: Sequence[Incident] = (), *, all_scopes: bool = True
) -> Iterator[MetricsMessage]:
    """Yield 7 days of windows up to now: all for all versions and segments together, and hours and rolling ones for each scope."""
    spans = {"10s": HOUR_MS // 2, "1m": DAY_MS, "1h": 7 * DAY_MS, "7d": 7 * DAY_MS}
    for model in models:
        versions = ("*", *model.versions) if all_scopes else ("*",)
        segments = ("*", *model.segments) if all_scopes else ("*",)
        for version in versions:
            for segment in segments:
                for window, span in spans.items():
                    if (version, segment) != ("*", "*") and window in ("10s", "1m"):
                        span = min(span, HOUR_MS)
                    for start in starts(window, now_ms - span, now_ms):
                        end = start + WINDOW_LENGTH_MS[window]
                        final = end + 60_000 < now_ms
                        part = min(1.0, (now_ms - start) / (end - start)) if window != "7d" else 1.0
                        yield message(
                            model,
                            window,
                            start,
                            version=version,
                            segment=segment,
                            final=final,
                            now_ms=now_ms,
                            incidents=incidents,
                            part=part,
                        )


def current(models: Iterable[SampleModel], now_ms: int, incidents: Sequence[Incident] = ()) -> Iterator[MetricsMessage]:
    """Yield the windows that are open now, and the two minutes before, of all versions and segments together."""
    for model in models:
        for window, back in (("10s", 40_000), ("1m", 120_000), ("1h", 0), ("7d", 0)):
            for start in starts(window, now_ms - back, now_ms):
                end = start + WINDOW_LENGTH_MS[window]
                part = max(0.05, min(1.0, (now_ms - start) / (end - start))) if window != "7d" else 1.0
                yield message(
                    model, window, start, final=end + 60_000 < now_ms, now_ms=now_ms, incidents=incidents, part=part, revision=now_ms
                )


def key_of(message: MetricsMessage) -> bytes:
    """Return the key that a message has on the topic."""
    return message_key(message.model, message.model_version, message.segment, message.window, message.window_start)


def publish(kafka: KafkaSettings, messages: Iterable[MetricsMessage]) -> None:
    """Send messages to the topic and wait until all are acknowledged."""
    producer = Producer(producer_config(kafka))
    for each in messages:
        producer.produce(METRICS, key=key_of(each), value=msgspec.json.encode(each))
        producer.poll(0)
    assert producer.flush(30) == 0


def write_lake(home: Path, messages: Sequence[MetricsMessage], *, offset: int) -> None:
    """Write messages as the pipeline's export does, one file a window, and say that the lake goes up to `offset` of partition 0."""
    by_window: dict[str, list[MetricsMessage]] = {}
    for each in messages:
        by_window.setdefault(each.window, []).append(each)
    for window, group in by_window.items():
        folder = metrics_folder(home) / f"window={window}"
        folder.mkdir(parents=True, exist_ok=True)
        group.sort(key=lambda each: (each.model, each.model_version, each.segment, each.window_start))
        pq.write_table(_table(group), folder / f"{group[0].window_start}.parquet", compression="zstd", row_group_size=8192)
    newest = max((each.window_start for each in messages if each.window in ("10s", "1m")), default=0)
    export_manifest(home).write_text(json.dumps({"exported_at": newest, "offsets": {"0": offset}, "newest_event_time": newest}))


def _table(messages: Sequence[MetricsMessage]) -> pa.Table:
    time = pa.timestamp("ms", tz="UTC")
    rows = [
        [{name: getattr(row, name) for name in ("dimension", "metric", "value", "n", "low", "high")} for row in each.rows]
        for each in messages
    ]
    columns = {
        "model": pa.array([each.model for each in messages]),
        "model_version": pa.array([each.model_version for each in messages]),
        "segment": pa.array([each.segment for each in messages]),
        "window_start": pa.array([each.window_start for each in messages], time),
        "window_end": pa.array([each.window_end for each in messages], time),
        "status": pa.array([each.status for each in messages]),
        "revision": pa.array([each.revision for each in messages], pa.int64()),
        "updated_at": pa.array([each.updated_at for each in messages], time),
        "rows": pa.array(rows, pa.list_(_STRUCT)),
    }
    return pa.table(columns)
