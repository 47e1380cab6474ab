"""What each kind of incident does to a block of requests; `times` are the event times of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from loadgen.incidents import ConceptDrift, ConversionDrop, DriftedSegment, Episode, FailingVersion, Incident, LatencySpike, NullBurst
from loadgen.models.service import Floats, Inputs, Ints, Mask, Service
from loadgen.scenario import ModelTraffic

Kind = TypeVar("Kind", bound=Incident)


def hit_rows(episodes: Sequence[Episode], kind: type[Kind], times: Ints) -> list[tuple[Kind, Mask]]:
    """Return the incidents of one kind, each with the rows that lie within it."""
    found = [(e.incident, (times >= e.start_ms) & (times < e.end_ms)) for e in episodes if isinstance(e.incident, kind)]
    return [(incident, rows) for incident, rows in found if rows.any()]


def drifted_values(
    episodes: Sequence[Episode],
    times: Ints,
    service: Service,
    traffic: ModelTraffic,
    spread: Floats,
    segments: dict[str, Ints],
    values: Floats,
) -> Floats:
    """Return the features as they are sent when segments drift; `segments` has each row's code, `spread` a column's unit of shift."""
    shifted = values.copy()
    for incident, rows in hit_rows(episodes, DriftedSegment, times):
        code = list(traffic.segments[incident.segment]).index(incident.value)
        in_segment = rows & (segments[incident.segment] == code)
        for name in incident.features:
            column = service.feature_index(name)
            shifted[in_segment, column] += incident.shift * spread[column]
    return shifted


def missing_values(rng: np.random.Generator, luck: np.random.Generator, episodes: Sequence[Episode], times: Ints, service: Service) -> Mask:
    """Return which values are sent as null: (rows, features). `rng` draws those of a normal day, `luck` whom an incident hits."""
    usual = np.array([feature.null_share for feature in service.features])
    missing: Mask = rng.random((len(times), len(usual))) < usual
    for incident, rows in hit_rows(episodes, NullBurst, times):
        missing[:, service.feature_index(incident.feature)] |= rows & (luck.random(len(times)) < incident.share)
    return missing


def drifted_truth(luck: np.random.Generator, episodes: Sequence[Episode], times: Ints, inputs: Inputs) -> Floats:
    """Return what turns out to be right when the concept drifts."""
    truth = inputs.truth
    for incident, rows in hit_rows(episodes, ConceptDrift, times):
        truth = np.where(rows & (luck.random(len(times)) < incident.share), inputs.drifted_truth, truth)
    return truth


def slowed(episodes: Sequence[Episode], times: Ints, latency: Floats) -> Floats:
    """Return the response times when they spike."""
    for incident, rows in hit_rows(episodes, LatencySpike, times):
        latency = np.where(rows, latency * incident.factor, latency).round(2)
    return latency


def failures(
    rng: np.random.Generator, luck: np.random.Generator, episodes: Sequence[Episode], times: Ints, usual: float, canary: Mask
) -> Mask:
    """Return which requests end in an error: `usual` is the share on a normal day, which `rng` draws; `luck` draws the others."""
    failed: Mask = rng.random(len(times)) < usual
    for incident, rows in hit_rows(episodes, FailingVersion, times):
        failed |= rows & (canary == (incident.version == "canary")) & (luck.random(len(times)) < incident.share)
    return failed


def conversion_chance(episodes: Sequence[Episode], times: Ints, arms: dict[str, float], arm: Ints) -> Floats:
    """Return each row's chance to convert; `arm` indexes `arms`, which has the rate of each."""
    chance = np.array(list(arms.values()))[arm]
    for incident, rows in hit_rows(episodes, ConversionDrop, times):
        in_arm = np.array([incident.variant in (name, "") for name in arms])[arm]
        chance = np.where(rows & in_arm, chance * incident.factor, chance)
    return chance
