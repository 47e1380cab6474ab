"""The charts of a model's page: what each shows, from which window, and what it says while it has nothing to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.format import style_of
from dashboard.names import NAMES
from dashboard.series import Column
from schemas.metrics import LATENCY_INTERVALS, WINDOW_LENGTH_MS, Category

MINUTE, HOUR, ROLLING_SOURCE = "minute", "hour", "rolling"
OVERLAY, OVERLAY_SLOTS = "overlay", 4
MULTIPLES = tuple(f"multiple_{place}" for place in range(8))
"""The charts that show the same as the overlay, each one of those that are compared: more of them than one chart could hold."""
OVERLAY_METRICS = {
    "f1_score_rolling_7d": "7d",
    "f1_score": "1h",
    "rmse": "1h",
    "latency_p99_ms": "1h",
    "error_rate": "1h",
    "throughput_per_s": "1h",
    "input_null_percentage": "1h",
    "conversion_rate": "1h",
}
"""What can be laid over each other, and from which window."""
OVERLAY_LABELS = {metric: NAMES[metric] + ("" if window == "7d" else ", each hour") for metric, window in OVERLAY_METRICS.items()}
WINDOW_OF = {MINUTE: "1m", HOUR: "1h", ROLLING_SOURCE: "7d"}
VARIANT_SLOTS = 4
"""Variants of an experiment that charts show: control and three others."""
FEATURE_SLOTS = 16
"""Features that the heatmap shows."""
Names = Mapping[str, Sequence[str]]
"""What came with the data, by kind: `variant`, `feature`, `picked`, the feature that was clicked, and `interval`, of a latency."""
_DIMENSIONS = {"variant": "variant=", "feature": "feature=", "picked": "feature=", "interval": "response_time_ms="}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `key` names its columns in the source, `slot` its colour. `named` is the kind of `Names` and the place among them of a
    line that is of one variant or feature; its label comes with the data. `product` are the keys of two lines of the same source whose
    product the browser draws.
    """

    key: str
    metric: str
    label: str
    slot: int
    band: bool = False
    named: tuple[str, int] | None = None
    product: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """`style` as in `dashboard.format.number`; `floor` 0 pins the axis there, `ceiling` likewise; `zero_line` draws it.

    `judged` is the metric whose limits (`dashboard.states`) are drawn as lines. `fan` fills what lies between its lines. A `steady` number
    means something by minute however few its events are. `heat` draws each line as a row of cells, `sums` each value with all
    before it in the range, `shares` each count as its share of those of all lines.
    """

    name: str
    title: str
    source: str
    lines: tuple[Line, ...]
    empty: str
    height: int = 190
    floor: float | None = None
    ceiling: float | None = None
    zero_line: bool = False
    bars: bool = False
    judged: str = ""
    fan: bool = False
    steady: bool = False
    heat: bool = False
    sums: bool = False
    shares: bool = False

    @property
    def style(self) -> str:
        """How values are written."""
        return "percent" if self.shares else style_of(self.lines[0].metric)

    @property
    def sources(self) -> tuple[str, ...]:
        """What it can be drawn from, the finest first: minutes are kept for a day, so what reaches further back is drawn by hour."""
        return (MINUTE, HOUR) if self.source == MINUTE else (self.source,)


def _variants(key: str, metric: str, first: int) -> tuple[Line, ...]:
    return tuple(Line(f"{key}_{slot}", metric, "", slot + 1, band=True, named=("variant", slot)) for slot in range(first, VARIANT_SLOTS))


def _compared(place: int, slot: int) -> Line:
    return Line(f"overlay_{place}", "f1_score_rolling_7d", "", slot, band=True, named=(OVERLAY, place))


_NO_LABELS, _NO_FEATURES = "No labels for this choice yet.", "No features are sent for this choice."
_NO_PREDICTIONS = "No predictions for this choice in the last 24 hours."
_NO_CONVERSIONS = "No conversions are reported."
_NO_LATENCIES = "No response times are sent for this choice."
_NOTHING_COMPARED = "Nothing of the kind is known of any of them."

CHARTS: tuple[ChartSpec, ...] = (
    ChartSpec("f1", "F1 score, rolling 7 days", ROLLING_SOURCE, (Line("f1", "f1_score_rolling_7d", "F1", 1, band=True),), _NO_LABELS),
    ChartSpec("f1_hour", "F1 score, each hour", HOUR, (Line("f1", "f1_score", "F1", 1, band=True),), _NO_LABELS, judged="f1_score"),
    ChartSpec(
        "error",
        "Error of prediction, rolling 7 days",
        ROLLING_SOURCE,
        (Line("rmse", "rmse", "RMSE", 1, band=True), Line("mae", "mae", "MAE", 2, band=True)),
        _NO_LABELS,
        floor=0,
    ),
    ChartSpec(
        "error_hour",
        "Error of prediction, each hour",
        HOUR,
        (Line("rmse", "rmse", "RMSE", 1, band=True), Line("mae", "mae", "MAE", 2, band=True)),
        _NO_LABELS,
        floor=0,
        judged="rmse",
    ),
    ChartSpec(
        "coverage",
        "Label coverage, rolling 7 days",
        ROLLING_SOURCE,
        (Line("coverage", "label_coverage", "Labelled", 3),),
        _NO_LABELS,
        height=120,
        floor=0,
        ceiling=1,
    ),
    ChartSpec(
        "latency",
        "Latency percentiles",
        MINUTE,
        tuple(Line(f"p{share}", f"latency_p{share}_ms", f"p{share}", 1) for share in (50, 90, 95, 99)),
        _NO_LATENCIES,
        floor=0,
        judged="latency_p99_ms",
        fan=True,
    ),
    ChartSpec(
        "latencies",
        "Share of requests by latency",
        HOUR,
        tuple(Line(f"latency_{place}", "latency_histogram", "", 1, named=("interval", place)) for place in range(len(LATENCY_INTERVALS))),
        _NO_LATENCIES,
        heat=True,
        shares=True,
    ),
    ChartSpec(
        "throughput",
        "Throughput and errors",
        MINUTE,
        (
            Line("rate", "throughput_per_s", "Predictions", 1),
            Line("failed", "throughput_per_s", "with an error", 2, product=("rate", "errors")),
        ),
        _NO_PREDICTIONS,
        floor=0,
        judged="throughput_per_s",
        steady=True,
    ),
    ChartSpec(
        "errors",
        "Error rate",
        MINUTE,
        (Line("errors", "error_rate", "Errors", 2, band=True),),
        _NO_PREDICTIONS,
        floor=0,
        judged="error_rate",
    ),
    ChartSpec(
        "nulls",
        "Null inputs, all features",
        MINUTE,
        (Line("nulls", "input_null_percentage", "Nulls", 1, band=True),),
        _NO_FEATURES,
        floor=0,
        judged="input_null_percentage",
    ),
    ChartSpec(
        "features",
        "Nulls by feature, each hour",
        HOUR,
        tuple(Line(f"null_{place}", "input_null_percentage", "", 1, named=("feature", place)) for place in range(FEATURE_SLOTS)),
        _NO_FEATURES,
        height=208,
        heat=True,
    ),
    ChartSpec(
        "feature",
        "Nulls of one feature, each hour",
        HOUR,
        (Line("picked", "input_null_percentage", "", 1, band=True, named=("picked", 0)),),
        _NO_FEATURES,
        floor=0,
        judged="input_null_percentage",
    ),
    ChartSpec(
        "repeats",
        "Duplicates and late events, each hour",
        HOUR,
        (Line("duplicates", "duplicate_predictions", "Duplicates", 1), Line("late", "late_events", "Late events", 2)),
        "No duplicates and no late events in seven days.",
        floor=0,
        bars=True,
    ),
    ChartSpec(
        "conversion",
        "Conversion rate by variant",
        HOUR,
        _variants("conversion", "conversion_rate", 0),
        _NO_CONVERSIONS,
        floor=0,
        judged="conversion_rate",
    ),
    ChartSpec(
        "uplift",
        "Conversion uplift against control, rolling 7 days",
        ROLLING_SOURCE,
        _variants("uplift", "conversion_rate_uplift", 1),
        "No experiment: no variant beside control has known conversions.",
        zero_line=True,
    ),
    ChartSpec(
        "revenue",
        "Revenue, each hour",
        HOUR,
        (Line("revenue", "revenue", "Revenue", 3),),
        "No revenue is reported.",
        floor=0,
        bars=True,
    ),
    ChartSpec(
        "revenue_total",
        "Revenue, summed over the range",
        HOUR,
        (Line("revenue", "revenue", "Total", 3),),
        "No revenue is reported.",
        floor=0,
        sums=True,
    ),
    # Last what is hidden at first; the small charts are drawn when they are first wanted (assets/plots.js).
    ChartSpec(
        "overlay",
        "Laid over each other",
        OVERLAY,
        tuple(_compared(place, place + 1) for place in range(OVERLAY_SLOTS)),
        _NOTHING_COMPARED,
        height=230,
    ),
    *(ChartSpec(name, "", OVERLAY, (_compared(place, 1),), _NOTHING_COMPARED, height=130) for place, name in enumerate(MULTIPLES)),
)

SECTIONS: dict[Category, tuple[str, tuple[tuple[str, ...], ...]]] = {
    Category.PERFORMANCE: ("Performance", (("f1", "error", "coverage"), ("f1_hour", "error_hour"))),
    Category.OPERATIONAL: ("Operational", (("latency", "latencies"), ("throughput", "errors"))),
    Category.DATA_QUALITY: ("Data quality", (("nulls",), ("repeats",), ())),
    Category.BUSINESS: ("Business", (("conversion", "revenue"), ("uplift",))),
}
"""Each section's title, and its charts by name in columns from the left; lists follow in the last column."""

WIDE: dict[Category, tuple[str, ...]] = {Category.DATA_QUALITY: ("features", "feature"), Category.BUSINESS: ("revenue_total",)}
"""Charts as wide as the page, beneath the columns of their section."""


def lines_of(source: str) -> list[Line]:
    """Return the distinct lines that read a source."""
    found = {line.key: line for spec in CHARTS if source in spec.sources for line in spec.lines if not line.product}
    return list(found.values())


def name_of(line: Line, names: Names) -> str | None:
    """Return the variant or feature that a line is of, `""` for all together; None where the model has none in its place."""
    if line.named is None:
        return ""
    kind, place = line.named
    return names[kind][place] if place < len(names[kind]) else None


def column_of(line: Line, names: Names) -> Column | None:
    """Return the (dimension, metric) of a line; None for a variant or feature that the model does not have."""
    name = name_of(line, names)
    if name is None:
        return None
    return (_DIMENSIONS[line.named[0]] + name if line.named and name else ""), line.metric


def shown_at(window: str) -> int:
    """Return where in a window (ms after its start) its point is drawn: the middle, or the end of a rolling one."""
    length = WINDOW_LENGTH_MS[window]
    return length if window == "7d" else length // 2
