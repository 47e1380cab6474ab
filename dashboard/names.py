"""What people call the metrics, on every page."""

from __future__ import annotations

from dashboard.format import style_of
from schemas.metrics import METRICS

NAMES: dict[str, str] = {
    "prediction_volume": "Predictions",
    "throughput_per_s": "Throughput",
    "error_rate": "Error rate",
    "latency_avg_ms": "Latency, mean",
    "latency_p50_ms": "Latency p50",
    "latency_p90_ms": "Latency p90",
    "latency_p95_ms": "Latency p95",
    "latency_p99_ms": "Latency p99",
    "latency_max_ms": "Latency, largest",
    "latency_histogram": "Latency, histogram",
    "input_null_percentage": "Null inputs",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1_score": "F1",
    "f1_score_rolling_7d": "F1, rolling 7 days",
    "confusion": "Confusion matrix",
    "label_coverage": "Label coverage",
    "mae": "MAE",
    "rmse": "RMSE",
    "conversion_rate": "Conversion rate",
    "conversion_rate_uplift": "Conversion uplift",
    "conversion_rate_uplift_relative": "Conversion uplift, relative",
    "revenue": "Revenue",
    "revenue_per_prediction": "Revenue per prediction",
    "duplicate_predictions": "Duplicates",
    "unmatched_outcomes": "Outcomes without a prediction",
    "late_events": "Late events",
}


def metric_names() -> list[dict[str, str]]:
    """Return for the browser what each metric is called, where it belongs, what it means, and how its values are written."""
    return [
        {
            "name": each.name,
            "label": NAMES[each.name],
            "category": each.category.value,
            "meaning": each.meaning,
            "style": style_of(each.name),
        }
        for each in METRICS.values()
    ]
