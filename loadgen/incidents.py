"""The incidents of a scenario: what can go wrong with a model service, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from loadgen.duration import Milliseconds
from loadgen.ranges import Factor, Share, Shift


class Incident(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all incidents have: the model they hit, when they begin, and how long they last.

    `at` counts from the start of the scenario's cycle; for an incident of the past, back from the last midnight UTC.
    """

    model: str
    at: Milliseconds
    lasts: Milliseconds = msgspec.field(name="for")


class LatencySpike(Incident, frozen=True, kw_only=True, tag="latency_spike"):
    """All response times are multiplied by `factor`."""

    factor: Factor = 5.0


class NullBurst(Incident, frozen=True, kw_only=True, tag="null_burst"):
    """A `share` of the values of one `feature` is missing."""

    feature: str
    share: Share = 0.6


class DriftedSegment(Incident, frozen=True, kw_only=True, tag="drifted_segment"):
    """In one segment value, `features` are sent too large by `shift` standard deviations; the truth stays."""

    segment: str
    value: str
    features: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    shift: Shift = 2.0


class ConceptDrift(Incident, frozen=True, kw_only=True, tag="concept_drift"):
    """A `share` of the truth follows another relation than the one that the model has learnt."""

    share: Share = 0.8


class FailingVersion(Incident, frozen=True, kw_only=True, tag="failing_version"):
    """One version answers a `share` of its requests with an error."""

    version: Literal["stable", "canary"] = "canary"
    share: Share = 0.4


class ConversionDrop(Incident, frozen=True, kw_only=True, tag="conversion_drop"):
    """The chance to convert is multiplied by `factor`, in `variant` or (empty) in all."""

    factor: Factor = 0.2
    variant: str = ""


AnyIncident = LatencySpike | NullBurst | DriftedSegment | ConceptDrift | FailingVersion | ConversionDrop


def hit_features(incident: AnyIncident) -> tuple[str, ...]:
    """Return the names of the features that an incident changes."""
    match incident:
        case NullBurst():
            return (incident.feature,)
        case DriftedSegment():
            return incident.features
        case _:
            return ()


@dataclass(frozen=True, slots=True)
class Episode:
    """An incident at a time: from `start_ms` to before `end_ms`, event time."""

    incident: AnyIncident
    start_ms: int
    end_ms: int


def episodes_between(incidents: Iterable[AnyIncident], cycle_ms: int, origin_ms: int, start_ms: int, end_ms: int) -> list[Episode]:
    """Return the episodes that touch [start_ms, end_ms), in order of their start.

    The cycle begins at `origin_ms` and repeats every `cycle_ms`; nothing happens before `origin_ms`.
    """
    found = []
    for incident in incidents:
        first = max((start_ms - origin_ms - incident.at - incident.lasts) // cycle_ms + 1, 0)
        begin = origin_ms + first * cycle_ms + incident.at
        while begin < end_ms:
            if begin + incident.lasts > start_ms:
                found.append(Episode(incident, begin, begin + incident.lasts))
            begin += cycle_ms
    return sorted(found, key=lambda episode: episode.start_ms)


def past_episodes(incidents: Sequence[AnyIncident], midnight_ms: int) -> list[Episode]:
    """Return the episodes of incidents whose `at` counts back from `midnight_ms`, in order of their start."""
    found = [Episode(incident, midnight_ms - incident.at, midnight_ms - incident.at + incident.lasts) for incident in incidents]
    return sorted(found, key=lambda episode: episode.start_ms)
