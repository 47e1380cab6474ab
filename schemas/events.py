"""Prediction and outcome events, version 1: what model services write to Kafka.

The types are strict about the contract. `msgspec` checks them while it parses, and names the
field that is wrong. A null in an optional field means that the field is absent, since most
serialisers write absent fields so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

NAME_LENGTH = 128

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH)]
NonNegative = Annotated[float, msgspec.Meta(ge=0)]
Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Scalar = str | bool | int | float
"""A predicted class or value, or a label; classes compare by their JSON type."""
EventTime = int | float | datetime
"""RFC 3339 text with an offset, or milliseconds since the epoch."""


class Prediction(msgspec.Struct, gc=False, omit_defaults=True):
    """One answer of a model, when it was served."""

    prediction_id: Name
    model: Name
    model_version: Name
    created_at: EventTime
    response_time_ms: NonNegative | None = None
    status: Literal["ok", "error"] | None = "ok"
    prediction: Scalar | None = None
    score: Probability | dict[str, Probability] | None = None
    features: dict[str, str | bool | int | float | None] | None = None
    segments: dict[str, str] | None = None
    variant: Name | None = None
    unit_id: str | None = None
    schema_version: int | None = 1


class Outcome(msgspec.Struct, gc=False, omit_defaults=True):
    """What became known about a prediction later: a label, a conversion, revenue."""

    prediction_id: Name
    model: Name
    created_at: EventTime
    label: Scalar | None = None
    converted: bool | None = None
    revenue_generated: float | None = None
    schema_version: int | None = 1
