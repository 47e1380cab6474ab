"""One block of requests through one model service: sampled, damaged by incidents, answered by the trained models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadgen.delays import draw_delays
from loadgen.effects import conversion_chance, drifted_truth, drifted_values, failures, missing_values, slowed
from loadgen.incidents import Episode
from loadgen.latency import response_times
from loadgen.models.service import Answers, Floats, Ints, Mask, Service, Trained, answer, impute
from loadgen.scenario import Delay, Experiment, ModelTraffic


@dataclass(frozen=True, slots=True)
class Conversions:
    """What the experiment's customers did. `arm` indexes the arms; `revenue` is 0 where not `converted`."""

    unit: Ints
    arm: Ints
    converted: Mask
    revenue: Floats
    known: Mask
    delay_ms: Ints


@dataclass(frozen=True, slots=True)
class Served:
    """A block of predictions of one service, one row each, and all that will become known about them.

    `values` are the features as sent, `missing` where a null was sent instead. `segments` has a code for each
    segment name, indexing that segment's values in the order of the scenario.
    """

    created_at: Ints
    canary: Mask
    values: Floats
    missing: Mask
    segments: dict[str, Ints]
    answers: Answers
    response_time_ms: Floats
    failed: Mask
    truth: Floats
    label_known: Mask
    label_delay_ms: Ints
    conversions: Conversions | None


def some_rows(served: Served, rows: slice) -> Served:
    """Return some rows of a block."""
    made, answers = served.conversions, served.answers
    return Served(
        served.created_at[rows],
        served.canary[rows],
        served.values[rows],
        served.missing[rows],
        {name: codes[rows] for name, codes in served.segments.items()},
        Answers(answers.predicted[rows], answers.probabilities[rows] if answers.probabilities is not None else None),
        served.response_time_ms[rows],
        served.failed[rows],
        served.truth[rows],
        served.label_known[rows],
        served.label_delay_ms[rows],
        Conversions(made.unit[rows], made.arm[rows], made.converted[rows], made.revenue[rows], made.known[rows], made.delay_ms[rows])
        if made
        else None,
    )


def _draw_segments(rng: np.random.Generator, traffic: ModelTraffic, n: int) -> dict[str, Ints]:
    drawn = {}
    for name, values in traffic.segments.items():
        weights = np.array(list(values.values()))
        drawn[name] = rng.choice(len(weights), size=n, p=weights / weights.sum())
    return drawn


def _as_sent(service: Service, values: Floats) -> Floats:
    """Return `values` within what the world allows, and rounded as the service writes them."""
    columns = []
    for feature, column in zip(service.features, values.T, strict=True):
        decimals = feature.decimals if feature.kind == "number" else 0
        top = len(feature.categories) - 1 if feature.kind == "category" else 1 if feature.kind == "flag" else feature.high
        columns.append(np.clip(column.round(decimals), feature.low if np.isfinite(feature.low) else 0, top))
    return np.stack(columns, axis=1)


def _convert(rng: np.random.Generator, experiment: Experiment, times: Ints, episodes: Sequence[Episode], delay: Delay) -> Conversions:
    n = len(times)
    unit = rng.integers(100_000, 1_000_000, n)
    arm = unit % len(experiment.arms)  # a unit always sees the same arm
    converted = rng.random(n) < conversion_chance(episodes, times, experiment.arms, arm)
    revenue = np.where(converted, rng.lognormal(np.log(experiment.revenue), 0.5, n).round(2), 0.0)
    known, delays = draw_delays(rng, delay, n)
    return Conversions(unit, arm, converted, revenue, known, delays)


def serve(
    rng: np.random.Generator,
    service: Service,
    trained: Trained,
    traffic: ModelTraffic,
    created_at: Ints,
    episodes: Sequence[Episode],
    *,
    past: bool,
) -> Served:
    """Return the predictions that `service` makes at the event times `created_at`, hit by its own `episodes`.

    The models answer what was sent: shifted values and imputed nulls change their answers, not the truth.
    `past`: outcomes follow the delays of the history.
    """
    n = len(created_at)
    (luck,) = rng.spawn(1)  # what incidents draw moves nothing else
    own = [episode for episode in episodes if episode.incident.model == traffic.name]
    canary = rng.random(n) < traffic.canary
    segments = _draw_segments(rng, traffic, n)
    inputs = service.sample(rng, n)
    values = _as_sent(service, drifted_values(own, created_at, service, traffic, trained.spread, segments, inputs.values))
    missing = missing_values(rng, luck, own, created_at, service)
    truth = drifted_truth(luck, own, created_at, inputs)
    latency = slowed(own, created_at, response_times(rng, traffic.latency, canary))
    failed = failures(rng, luck, own, created_at, traffic.errors, canary)
    known, delays = draw_delays(rng, traffic.past_label if past else traffic.label, n)
    experiment = traffic.experiment
    conversions = _convert(rng, experiment, created_at, own, experiment.past if past else experiment.outcome) if experiment else None
    answers = answer(service, trained, impute(values, missing, trained.median), canary)
    return Served(created_at, canary, values, missing, segments, answers, latency, failed, truth, known, delays, conversions)
