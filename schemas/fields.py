"""What each field of the contracts means: the one place from which the JSON Schema files describe them."""

from __future__ import annotations

FIELDS: dict[str, str] = {
    "prediction_id": "Unique per model; the Kafka key of predictions and outcomes.",
    "model": "The model that answered.",
    "model_version": "Its version.",
    "created_at": "Event time: when it was served, or came about. RFC 3339 with an offset, or epoch milliseconds.",
    "response_time_ms": "Serving latency in milliseconds.",
    "status": "`ok`, or `error` when the service could not answer.",
    "prediction": "The predicted class or value; required when `status` is `ok`.",
    "score": "Probability of the positive class, or of each class by name.",
    "features": "The inputs by name; an explicit null counts as a missing input, an absent name does not.",
    "segments": "Slices to break metrics down by, such as region or plan.",
    "variant": "Experiment arm; `control` is the baseline.",
    "unit_id": "The randomised unit, such as a user or an account.",
    "schema_version": "Version of this contract.",
    "label": "What turned out to be true: a class or a value.",
    "converted": "Whether the prediction led to a conversion.",
    "revenue_generated": "Revenue that followed from the prediction.",
    "segment": "`*` for all, or `name=value`.",
    "window": "Length of the window: tumbling, or rolling for `7d`.",
    "window_start": "Start of the window in epoch milliseconds, event time.",
    "window_end": "End of the window in epoch milliseconds, exclusive.",
    "revision": "Grows with each change.",
    "updated_at": "When this was computed, in epoch milliseconds.",
    "rows": "All metrics of this model, version, segment and window: the whole state, never a difference.",
    "dimension": "Empty, or what the number is about: `feature=age`, `class=1`, `variant=treatment`, `predicted_actual=[0,1]`, "
    "`response_time_ms=(20,50]`.",
    "metric": "Name of the metric.",
    "value": "The number.",
    "n": "What it was computed from.",
    "low": "Lower end of the 95 % interval, where one is defined.",
    "high": "Upper end of the 95 % interval, where one is defined.",
}
OF_MESSAGE: dict[str, str] = {
    "model_version": "Its version; `*` is all versions together.",
    "status": "`provisional` until the watermark has passed the window's end by the allowed lateness, then `final`; both may be revised.",
}
"""Where a metrics message means something else by the same name."""
