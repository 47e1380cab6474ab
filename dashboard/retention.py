"""What the dashboard keeps in memory: which series, and for how long.

Two levels. The *fleet* level has the headline series of every model, all versions and segments
together, as far back as a tile needs. The *detail* level has all series that a model's page shows,
for the scopes that are open in some browser (and the last few that were).
"""

from __future__ import annotations

from schemas.metrics import ROLLING, WINDOW_LENGTH_MS

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
ROLLING_LENGTH_MS = WINDOW_LENGTH_MS[ROLLING]

FLEET_SPAN_MS: dict[str, int] = {"10s": 30 * _MINUTE, "1m": 3 * _HOUR, "1h": 49 * _HOUR, "7d": 7 * _DAY + _HOUR}
DETAIL_SPAN_MS: dict[str, int] = {"1m": _DAY + 10 * _MINUTE, "1h": 7 * _DAY + _HOUR, "7d": 7 * _DAY + _HOUR}
"""Windows that are kept, and how far back from the newest one."""

FLEET_METRICS = frozenset(
    (
        "prediction_volume",
        "throughput_per_s",
        "error_rate",
        "latency_p99_ms",
        "input_null_percentage",
        "f1_score",
        "f1_score_rolling_7d",
        "label_coverage",
        "rmse",
        "conversion_rate",
        "conversion_rate_uplift",
        "revenue",
    )
)
LINE_METRICS = frozenset(
    (
        "latency_p50_ms",
        "latency_p90_ms",
        "latency_p95_ms",
        "latency_p99_ms",
        "throughput_per_s",
        "error_rate",
        "input_null_percentage",
        "prediction_volume",
    )
)
FLEET_COLUMNS, DETAIL_COLUMNS = 80, 600
"""At most so many series of one scope and window."""


def keeps_for_fleet(dimension: str, metric: str) -> bool:
    """Say whether a tile needs the series; classes are not broken down there."""
    return metric in FLEET_METRICS and not dimension.startswith("class=")


def keeps_minute_detail(dimension: str, metric: str) -> bool:
    """Say whether a chart of minutes shows the series."""
    return dimension == "" and metric in LINE_METRICS


def keeps_all(dimension: str, metric: str) -> bool:
    """Keep the series: hours and rolling windows are few."""
    return True


def shown_rows(window: str) -> int:
    """Return how many rows a chart's source holds at most, empty rows that break a line included."""
    return 2 * (DETAIL_SPAN_MS[window] // (WINDOW_LENGTH_MS["1h"] if window == "7d" else WINDOW_LENGTH_MS[window]))
