"""Events as bytes and batches, with all that a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from pipeline.intake import EventReader, Intake, RawBatch
from pipeline.settings import Limits, PipelineSettings
from pipeline.watermark import BEGINNING
from schemas.topics import PREDICTIONS

NOW = 1_773_485_243_000
"""14 March 2026, 10:47:23 UTC."""
SETTINGS = PipelineSettings()


def prediction(**fields: Any) -> dict[str, Any]:
    """Return a valid prediction, with `fields` changed."""
    return {"prediction_id": "p", "model": "churn", "model_version": "v1", "created_at": NOW, "prediction": 1, **fields}


def outcome(**fields: Any) -> dict[str, Any]:
    """Return a valid outcome, with `fields` changed."""
    return {"prediction_id": "p", "model": "churn", "created_at": NOW, **fields}


def encoded(event: dict[str, Any]) -> bytes:
    """Return an event as a producer would send it."""
    return orjson.dumps(event)


def batch(values: Sequence[bytes | None], *, topic: str = PREDICTIONS, partition: int = 0, start: int = 0, idle: bool = False) -> RawBatch:
    """Return a batch of messages at consecutive offsets; the key at position i is `key-i`."""
    end = start + len(values)
    keys: Callable[[int], bytes] = lambda at: b"key-%d" % at  # noqa: E731
    return RawBatch(topic, partition, start, end, idle, np.arange(start, end), list(values), keys)


def reader(*, now: int = NOW, newest: int = BEGINNING, **limits: int) -> EventReader:
    """Return a reader whose clock stands at `now`."""
    return EventReader(replace(SETTINGS, limits=Limits(**limits)), lambda: now, newest)


def read(values: Sequence[bytes | None], **placed: Any) -> Intake:
    """Return what a batch holds."""
    return reader().read(batch(values, **placed))
