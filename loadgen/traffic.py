"""How many predictions are asked for at which time of the day."""

from __future__ import annotations

import math

import numpy as np

from loadgen.models.service import Floats, Ints
from loadgen.scenario import ModelTraffic, Scenario

DAY_MS = 86_400_000
_WEEKEND_DAYS = (2, 3)  # Saturday and Sunday, counted from the epoch, which began on a Thursday
_WEEKEND = 0.8
_WORKDAY = (7 - 2 * _WEEKEND) / 5


def daily_shape(model: ModelTraffic, at_ms: int) -> float:
    """Return the model's traffic at `at_ms` relative to its mean over a week: a sine that peaks at `peak_hour`, less on weekends.

    A model without swing has the same traffic at all times.
    """
    hour = at_ms % DAY_MS / 3_600_000
    week = _WEEKEND if at_ms // DAY_MS % 7 in _WEEKEND_DAYS else _WORKDAY
    return 1.0 if model.swing == 0 else week * (1 + model.swing * math.cos(2 * math.pi * (hour - model.peak_hour) / 24))


def shape_of_models(scenario: Scenario, at_ms: int) -> Floats:
    """Return each model's traffic at `at_ms`, as a share of the whole scenario's mean; their mean over a week sums to 1."""
    total = sum(model.share for model in scenario.models)
    return np.array([model.share / total * daily_shape(model, at_ms) for model in scenario.models])


def events_per_prediction(scenario: Scenario) -> float:
    """Return how many events a prediction costs in all: itself, its duplicates and its outcomes, live."""
    total = sum(model.share for model in scenario.models)
    outcomes = sum(
        model.share / total * (model.label.share + (model.experiment.outcome.share if model.experiment else 0)) for model in scenario.models
    )
    return 1 + scenario.disorder.duplicates + outcomes


def arrival_times(rng: np.random.Generator, n: int, start_ms: int, end_ms: int) -> Ints:
    """Return `n` event times in [start_ms, end_ms), ascending."""
    times: Ints = np.sort(rng.integers(start_ms, end_ms, n))
    return times
