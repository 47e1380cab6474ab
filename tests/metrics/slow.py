"""The metrics of raw events, one obvious step at a time: what `compute` must agree with."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from statistics import fmean

from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from tests.metrics.events import Class, Event, Pane
from tests.oracle.histogram import EDGES, interval

Expected = dict[tuple[str, str], tuple[float, int]]
"""Value and n by metric and dimension."""


def expected_rows(pane: Pane) -> Expected:
    """Return all rows of a pane but those of latency quantiles, which are approximate."""
    rows: Expected = {}
    events = pane.events
    if events:
        volume = len(events)
        rows["prediction_volume", ""] = (volume, volume)
        rows["throughput_per_s", ""] = (volume / pane.elapsed_s, volume)
        rows["error_rate", ""] = (sum(event.failed for event in events) / volume, volume)
        labelled = sum(event.label is not None or event.pair is not None for event in events)
        rows["label_coverage", ""] = (labelled / volume, volume)
    latencies = [event.latency_ms for event in events if event.latency_ms is not None]
    if latencies:
        rows["latency_avg_ms", ""] = (fmean(latencies), len(latencies))
        rows["latency_max_ms", ""] = (max(latencies), len(latencies))
    if pane.length_s in (3_600, 86_400):
        counts = Counter(interval(sum(edge < latency for edge in EDGES)) for latency in latencies)
        rows |= {("latency_histogram", name): (count, len(latencies)) for name, count in counts.items()}
    rows |= _nulls(events) | _classification(pane) | _regression(events) | _conversion(events)
    revenues = [event.revenue for event in events if event.revenue is not None]
    if revenues:
        rows["revenue", ""] = (math.fsum(revenues), len(revenues))
        rows["revenue_per_prediction", ""] = (math.fsum(revenues) / len(events), len(events))
    if pane.duplicates:
        rows["duplicate_predictions", ""] = (pane.duplicates, pane.duplicates)
    if pane.late:
        rows["late_events", ""] = (pane.late, pane.late)
    return rows


def quantile_of(latencies: Sequence[float], percent: int) -> float:
    """Return the smallest latency that at least `percent` % of them do not exceed."""
    rank = math.ceil(Fraction(percent, 100) * len(latencies))
    return sorted(latencies)[rank - 1]


def _nulls(events: Sequence[Event]) -> Expected:
    values = [(name, is_null) for event in events for name, is_null in event.nulls]
    rows: Expected = {}
    for dimension, chosen in _by_name("feature=", values):
        if chosen:
            rows["input_null_percentage", dimension] = (100 * sum(chosen) / len(chosen), len(chosen))
    return rows


def _by_name(prefix: str, values: Sequence[tuple[str, bool]]) -> list[tuple[str, list[bool]]]:
    """Return all values under the dimension `""`, and those of each name under its own."""
    named = [(prefix + name, [value for other, value in values if other == name]) for name in {name for name, _ in values} - {""}]
    return [("", [value for _, value in values]), *named]


def _classification(pane: Pane) -> Expected:
    pairs = [(_text(e.prediction), _text(e.label)) for e in pane.events if e.prediction is not None and e.label is not None]
    if not pairs or pane.task == 3:
        return {}
    predicted, actual = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    seen = sorted(set(predicted) | set(actual))
    rows: Expected = {("accuracy", ""): (accuracy_score(actual, predicted), len(pairs))}
    classes = sorted({_text(value) for value in pane.classes}) or seen
    binary = pane.task == 1 or (pane.task == 0 and (pane.positive_class is not None or set(classes) <= {"0", "1"}))
    positive = "1" if pane.positive_class is None else _text(pane.positive_class)
    labels = [positive] if binary else classes
    scores = [precision_recall_fscore_support(actual, predicted, labels=[label], average="macro", zero_division=0)[:3] for label in labels]
    answered = [event for event in pane.events if event.prediction is not None and event.label is not None]
    counts = Counter(f"predicted_actual=[{_json(event.prediction)},{_json(event.label)}]" for event in answered)
    if pane.length_s in (3_600, 86_400) and len(counts) <= 100:
        rows |= {("confusion", dimension): (count, len(pairs)) for dimension, count in counts.items()}
    for index, metric in enumerate(("precision", "recall", "f1_score")):
        of_classes = [float(score[index]) for score in scores]
        for name in (metric, "f1_score_rolling_7d") if metric == "f1_score" and pane.rolling else (metric,):
            rows[name, ""] = (fmean(of_classes), len(pairs))
            if not binary:
                rows |= {(name, f"class={label}"): (value, len(pairs)) for label, value in zip(labels, of_classes, strict=True)}
    return rows


def _text(value: Class | None) -> str:
    """Return a class as the dimension names it."""
    if isinstance(value, str):
        try:
            ambiguous = not isinstance(json.loads(value), (list, dict))
        except ValueError:
            ambiguous = value.startswith('"')
        return json.dumps(value, ensure_ascii=False) if ambiguous else value
    return repr(value) if isinstance(value, float) else str(int(value or 0))


def _json(value: Class | None) -> str:
    """Return a class as JSON; booleans are integers."""
    return json.dumps(int(value) if isinstance(value, bool) else value, ensure_ascii=False)


def _regression(events: Sequence[Event]) -> Expected:
    errors = [event.pair[0] - event.pair[1] for event in events if event.pair is not None]
    if not errors:
        return {}
    return {
        ("mae", ""): (fmean(abs(error) for error in errors), len(errors)),
        ("rmse", ""): (math.sqrt(fmean(error**2 for error in errors)), len(errors)),
    }


def _conversion(events: Sequence[Event]) -> Expected:
    known = [(event.variant, event.converted) for event in events if event.converted is not None]
    rows: Expected = {}
    arms = {dimension: chosen for dimension, chosen in _by_name("variant=", known) if chosen}
    for dimension, chosen in arms.items():
        rows["conversion_rate", dimension] = (fmean(chosen), len(chosen))
    control = arms.get("variant=control")
    if control is not None:
        for dimension in arms.keys() - {"", "variant=control"}:
            arm = arms[dimension]
            difference = fmean(arm) - fmean(control)
            rows["conversion_rate_uplift", dimension] = (difference, len(arm) + len(control))
            if any(control):
                rows["conversion_rate_uplift_relative", dimension] = (difference / fmean(control), len(arm) + len(control))
    return rows
