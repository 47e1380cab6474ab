"""The same numbers once more, in plain Python with loops and dictionaries: slow, and plain enough to check by reading.

It is the judge of the judge: `batch` must agree with it on small random logs.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.oracle.batch import HOUR, LENGTH, Configuration, Rule
from tests.oracle.histogram import EDGES, interval
from tests.oracle.loading import class_json, class_name, load
from tests.oracle.records import Record

Row = dict[str, object]
RowKey = tuple[str, str, str, str, str, str, int]
"""model, model_version, segment, dimension, metric, window, window_start."""
Pane = tuple[str, str, str, str, int]
"""model, model_version, segment, window, window_start."""


@dataclass(slots=True)
class Contents:
    """All predictions of a pane, and how many repeats."""

    rows: list[Row] = field(default_factory=list)
    repeats: int = 0


def compute_naively(records: Iterable[Record], configuration: Configuration) -> dict[RowKey, tuple[float, int, str]]:
    """Return (value, n, status) of every row."""
    deliveries, outcomes = (table.to_pylist() for table in load(records))
    newest = max((row["created"] for row in (*deliveries, *outcomes)), default=0)
    panes: dict[Pane, Contents] = defaultdict(Contents)
    seen: dict[tuple[str, str], Row] = {}
    for row in sorted(deliveries, key=lambda row: (row["partition"], row["offset"])):
        first = seen.setdefault((row["model"], row["id"]), row)
        for pane in _panes(row, newest, configuration):
            if first is row:
                panes[pane].rows.append(row)
            else:
                panes[pane].repeats += 1
    for name in ("label", "converted", "revenue"):
        _tell(name, seen, outcomes)
    return {
        (model, version, segment, dimension, metric, window, start): (
            value,
            n,
            "final" if newest >= start + LENGTH[window] + configuration.lateness else "provisional",
        )
        for (model, version, segment, window, start), contents in panes.items()
        for dimension, metric, value, n in _metrics(model, window, min(LENGTH[window], newest - start), contents, configuration)
    }


def _panes(row: Row, newest: int, configuration: Configuration) -> Iterator[Pane]:
    created, segments = row["created"], row["segments"]
    assert isinstance(created, int)
    assert isinstance(segments, list)
    for version in ("*", str(row["version"])):
        for segment in ("*", *segments):
            for window, length in LENGTH.items():
                if window == "7d":
                    first_end = created - created % HOUR + HOUR
                    starts = [end - length for end in range(first_end, first_end + length, HOUR) if end - HOUR <= newest]
                else:
                    starts = [created - created % length]
                for start in starts:
                    if start + length > newest - configuration.retention[window]:
                        yield str(row["model"]), version, segment, window, start


def _tell(name: str, seen: dict[tuple[str, str], Row], outcomes: list[Row]) -> None:
    """Give each prediction the newest known value of one outcome field."""
    for outcome in sorted(outcomes, key=lambda row: (row["created"], row["offset"])):
        prediction = seen.get((str(outcome["model"]), str(outcome["id"])))
        if prediction is not None and outcome[name] is not None:
            prediction[name] = outcome[name]
            if name == "label":
                prediction["label_number"], prediction["label_is_float"] = outcome["label_number"], outcome["label_is_float"]


Number = tuple[str, str, float, int]
"""dimension, metric, value, n."""


def _metrics(model: str, window: str, elapsed: int, contents: Contents, configuration: Configuration) -> Iterator[Number]:
    rows, volume = contents.rows, len(contents.rows)
    if contents.repeats:
        yield "", "duplicate_predictions", contents.repeats, contents.repeats
    if not rows:
        return
    yield "", "prediction_volume", volume, volume
    yield "", "throughput_per_s", volume / (elapsed / 1000), volume
    yield "", "error_rate", sum(bool(row["failed"]) for row in rows) / volume, volume
    yield "", "label_coverage", sum(row.get("label") is not None for row in rows) / volume, volume
    yield from _latency(rows, window)
    yield from _nulls(rows)
    yield from _business(rows)
    rule = configuration.rules.get(model, Rule())
    yield from _performance(rows, window, rule.task, rule.positive)


def _latency(rows: list[Row], window: str) -> Iterator[Number]:
    times = sorted(float(str(row["latency"])) for row in rows if row["latency"] is not None)
    if times:
        yield "", "latency_avg_ms", math.fsum(times) / len(times), len(times)
        yield "", "latency_max_ms", times[-1], len(times)
        for percentile in (50, 90, 95, 99):
            at_least = [time for index, time in enumerate(times, 1) if index * 100 >= percentile * len(times)]
            yield "", f"latency_p{percentile}_ms", at_least[0], len(times)
    if window in ("1h", "1d"):
        for place, count in Counter(sum(edge < time for edge in EDGES) for time in times).items():
            yield interval(place), "latency_histogram", count, len(times)


def _nulls(rows: list[Row]) -> Iterator[Number]:
    flags: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        features, nulls = row["features"], row["nulls"]
        assert isinstance(features, list)
        assert isinstance(nulls, list)
        for name, null in zip(features, nulls, strict=True):
            flags[f"feature={name}"].append(null)
            flags[""].append(null)
    for dimension, found in flags.items():
        yield dimension, "input_null_percentage", 100 * sum(found) / len(found), len(found)


def _business(rows: list[Row]) -> Iterator[Number]:
    paid = [float(str(row["revenue"])) for row in rows if row.get("revenue") is not None]
    if paid:
        yield "", "revenue", math.fsum(paid), len(paid)
        yield "", "revenue_per_prediction", math.fsum(paid) / len(rows), len(rows)
    arms: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row.get("converted") is not None:
            arms[""].append(bool(row["converted"]))
            if row["variant"]:
                arms[f"variant={row['variant']}"].append(bool(row["converted"]))
    for arm, known in arms.items():
        yield arm, "conversion_rate", sum(known) / len(known), len(known)
    control = arms.get("variant=control", [])
    for arm, known in arms.items():
        if control and arm not in ("", "variant=control"):
            rate, base, n = sum(known) / len(known), sum(control) / len(control), len(known) + len(control)
            yield arm, "conversion_rate_uplift", rate - base, n
            if base > 0:
                yield arm, "conversion_rate_uplift_relative", (rate - base) / base, n


def _performance(rows: list[Row], window: str, task: str, positive: str) -> Iterator[Number]:
    errors: list[float] = []
    pairs: list[tuple[str, str]] = []
    for row in rows:
        if row.get("label") is None or row["answer"] is None:
            continue
        numbers = row["answer_number"] is not None and row["label_number"] is not None
        written_float = bool(row["answer_is_float"]) or bool(row["label_is_float"])
        if numbers and (task == "regression" or (task == "" and written_float)):
            errors.append(float(str(row["answer_number"])) - float(str(row["label_number"])))
        else:
            pairs.append((str(row["answer"]), str(row["label"])))
    if errors:
        yield "", "mae", math.fsum(map(abs, errors)) / len(errors), len(errors)
        yield "", "rmse", math.sqrt(math.fsum(error * error for error in errors) / len(errors)), len(errors)
    if pairs:
        yield from _classes(pairs, window, task, positive)


def _classes(pairs: list[tuple[str, str]], window: str, task: str, positive: str) -> Iterator[Number]:
    n = len(pairs)
    yield "", "accuracy", sum(answer == label for answer, label in pairs) / n, n
    counts = Counter(pairs)
    if window in ("1h", "1d") and len(counts) <= 100:
        for (answer, label), count in counts.items():
            yield f"predicted_actual=[{class_json(answer)},{class_json(label)}]", "confusion", count, n
    seen = {key for pair in pairs for key in pair}
    names = ("precision", "recall", "f1_score")
    if positive or task == "binary" or (seen <= {"i:0", "i:1"} and task != "multiclass"):
        table = {"": _scores(pairs, positive or "i:1")}
    else:
        table = {f"class={class_name(key)}": _scores(pairs, key) for key in seen}
        table[""] = tuple(math.fsum(column) / len(seen) for column in zip(*table.values(), strict=True))
    for dimension, scores in table.items():
        for name, score in zip(names, scores, strict=True):
            yield dimension, name, score, n
        if window == "7d":
            yield dimension, "f1_score_rolling_7d", scores[2], n


def _scores(pairs: list[tuple[str, str]], key: str) -> tuple[float, ...]:
    hits = sum(answer == label == key for answer, label in pairs)
    predicted, actual = sum(answer == key for answer, _ in pairs), sum(label == key for _, label in pairs)
    return (
        hits / predicted if predicted else 0.0,
        hits / actual if actual else 0.0,
        2 * hits / (predicted + actual) if predicted + actual else 0.0,
    )
