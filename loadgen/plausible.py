"""What a scenario file may say beyond its types: names that are known, incidents that can be seen, times that can be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from loadgen.incidents import AnyIncident, ConversionDrop, DriftedSegment, FailingVersion, hit_features
from loadgen.models import SERVICES
from loadgen.scenario import Delay, ModelTraffic, Scenario


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in the field at `path` (`incidents[0].share`), and what to do about it."""

    path: str
    what: str
    mend: str


def not_finite(raw: object, path: str = "") -> Iterator[Problem]:
    """Return the numbers of a TOML document that are no numbers or infinite; only `rate` may be infinite: as fast as possible."""
    if isinstance(raw, dict):
        for name, value in raw.items():
            yield from not_finite(value, f"{path}.{name}" if path else name)
    elif isinstance(raw, list):
        for place, value in enumerate(raw):
            yield from not_finite(value, f"{path}[{place}]")
    elif isinstance(raw, float) and not math.isfinite(raw) and (path != "rate" or math.isnan(raw)):
        yield Problem(path, f"expected a finite number, got {raw}", "give a finite number")


def problems_of(scenario: Scenario) -> Iterator[Problem]:
    """Return what is wrong with a scenario that has the right types, the first problem first."""
    if not scenario.models:
        yield Problem("models", "no [[models]]", f"name at least one of {', '.join(SERVICES)}")
    if scenario.cycle <= 0:
        yield Problem("cycle", "a cycle must be longer than nothing", "give a duration such as 4m")
    if scenario.lasts is not None and scenario.lasts <= 0:
        yield Problem("for", "a scenario must last longer than nothing", "give a duration such as 20m")
    traffic: dict[str, ModelTraffic] = {}
    for place, model in enumerate(scenario.models):
        yield from _of_model(model, f"models[{place}]")
        if model.name in traffic:
            yield Problem(f"models[{place}].name", f"the model {model.name!r} is there twice", "leave one out")
        traffic[model.name] = model
    if scenario.templates and scenario.incidents:
        yield Problem("incidents", "copies of templates have no incidents", "leave out `templates` or the incidents")
    for place, incident in enumerate(scenario.incidents):
        yield from _of_incident(incident, traffic, f"incidents[{place}]")
        if incident.at + incident.lasts > scenario.cycle:
            yield Problem(f"incidents[{place}]", f"an incident of {incident.model} ends after the cycle", "make `cycle` longer")
    for place, incident in enumerate(scenario.history.incidents):
        yield from _of_incident(incident, traffic, f"history.incidents[{place}]")


def _of_model(model: ModelTraffic, path: str) -> Iterator[Problem]:
    if model.name not in SERVICES:
        yield _unknown(f"{path}.name", f"there is no model {model.name!r}", list(SERVICES))
    delays = {"label": model.label, "past_label": model.past_label}
    if model.experiment is not None:
        delays |= {"experiment.outcome": model.experiment.outcome, "experiment.past": model.experiment.past}
    for name, delay in delays.items():
        yield from _of_delay(delay, f"{path}.{name}")


def _of_delay(delay: Delay, path: str) -> Iterator[Problem]:
    if delay.latest < delay.earliest:
        yield Problem(f"{path}.to", "`to` is before `from`", "swap them")
    if 0 < delay.late_to < delay.latest:
        yield Problem(f"{path}.late_to", "`late_to` is before `to`", "give a longer one")


def _of_incident(incident: AnyIncident, traffic: dict[str, ModelTraffic], path: str) -> Iterator[Problem]:
    if incident.lasts <= 0:
        yield Problem(f"{path}.for", "an incident must last longer than nothing", "give a duration such as 20s")
    if incident.model not in traffic:
        yield _unknown(f"{path}.model", f"an incident hits {incident.model!r}, which is not served", list(traffic))
        return
    features = [feature.name for feature in SERVICES[incident.model].features] if incident.model in SERVICES else []
    for feature in hit_features(incident):
        if feature not in features:
            yield _unknown(path, f"{incident.model} has no feature {feature!r}", features)
    model = traffic[incident.model]
    match incident:
        case DriftedSegment(segment=segment, value=value):
            segments = [f"{name}={one}" for name, values in model.segments.items() for one in values]
            if f"{segment}={value}" not in segments:
                yield _unknown(f"{path}.value", f"{incident.model} has no segment {segment}={value}", segments)
        case ConversionDrop(variant=variant):
            arms = list(model.experiment.arms) if model.experiment else []
            if not arms:
                yield Problem(
                    f"{path}.model", f"{incident.model} has no experiment, so no conversions that could drop", "name another model"
                )
            elif variant and variant not in arms:
                yield _unknown(f"{path}.variant", f"{incident.model} has no variant {variant!r}", arms)
        case FailingVersion(version=version):
            if model.canary == (0 if version == "canary" else 1):
                yield Problem(f"{path}.version", f"no request to {incident.model} goes to its {version}", "give it a share with `canary`")
        case _:
            pass


def _unknown(path: str, what: str, known: list[str]) -> Problem:
    return Problem(path, what, f"known are {', '.join(known)}")
