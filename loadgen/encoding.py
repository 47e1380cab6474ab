"""A served block as the events of the contract: bytes, made from the types of `schemas.events` themselves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np

from loadgen.models.service import Feature, Floats, Mask, Service
from loadgen.scenario import Disorder, ModelTraffic
from loadgen.schedule import Event
from loadgen.serving import Served
from schemas.events import Outcome, Prediction, Scalar
from schemas.topics import OUTCOMES, PREDICTIONS

FeatureValue = str | bool | int | float | None


class EventWriter:
    """Writes the served blocks of one model service as events.

    `run` makes prediction ids unique among runs; equal runs write equal ids. `numbers` orders events that are due at the same time.
    """

    def __init__(self, service: Service, traffic: ModelTraffic, disorder: Disorder, run: str, numbers: Iterator[int]) -> None:
        self._service = service
        self._traffic = traffic
        self._disorder = disorder
        self._run = run
        self._numbers = numbers
        self._encoder = msgspec.json.Encoder()

    def write(self, rng: np.random.Generator, served: Served, block: int, first_row: int = 0) -> Iterator[Event]:
        """Return the predictions of a block, some of them twice or late, and all their outcomes; in no order.

        `block` and the row number, counted from `first_row`, make the prediction id.
        """
        ids = [f"{self._service.name}-{self._run}-{block:x}-{row}" for row in range(first_row, first_row + len(served.created_at))]
        yield from self._predictions(rng, served, ids)
        yield from self._labels(served, ids)
        yield from self._conversions(served, ids)

    def _event(self, due_ms: int, topic: str, key: str, event: Prediction | Outcome, made_ms: int = 0) -> Event:
        return Event(due_ms, next(self._numbers), topic, key.encode(), self._encoder.encode(event), made_ms)

    def _time(self, milliseconds: int) -> int | datetime:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if self._traffic.times_as_text else milliseconds

    def _predictions(self, rng: np.random.Generator, served: Served, ids: list[str]) -> Iterator[Event]:
        disorder, n = self._disorder, len(ids)
        chance = rng.random(n)
        held = np.where(chance < disorder.late, rng.integers(0, max(disorder.late_by, 1), n), 0)
        too_late = rng.integers(disorder.too_late_by // 2, max(disorder.too_late_by, 1), n)
        held = np.where(chance > 1 - disorder.too_late, too_late, held)
        again = np.where(rng.random(n) < disorder.duplicates, rng.integers(1, 5_000, n), -1).tolist()
        times = zip(served.created_at.tolist(), (served.created_at + held).tolist(), strict=True)
        for row, (prediction, (made, due)) in enumerate(zip(self.events(served, ids), times, strict=True)):
            event = self._event(due, PREDICTIONS, ids[row], prediction, made)
            yield event
            if again[row] > 0:
                yield replace(event, due_ms=due + again[row], number=next(self._numbers))

    def events(self, served: Served, ids: list[str]) -> Iterator[Prediction]:
        """Return the prediction event of each row of a block."""
        service, traffic = self._service, self._traffic
        answered = class_values(service, served.answers.predicted)
        scores = class_scores(service, served.answers.probabilities, len(ids))
        versions = (service.stable_version, service.canary_version)
        names = [feature.name for feature in service.features]
        columns = zip(service.features, served.values.T, served.missing.T, strict=True)
        features = zip(*(written(feature, values, missing) for feature, values, missing in columns), strict=True)
        slices = segment_values(traffic, served)
        experiment, conversions = traffic.experiment, served.conversions
        arms = list(experiment.arms) if experiment else []
        rows = zip(
            ids, served.created_at.tolist(), served.canary.tolist(), served.response_time_ms.tolist(), served.failed.tolist(), strict=True
        )
        for row, (prediction_id, created_at, canary, latency, failed) in enumerate(rows):
            yield Prediction(
                prediction_id,
                traffic.name,
                versions[canary],
                self._time(created_at),
                latency,
                "error" if failed else "ok",
                None if failed else answered[row],
                None if failed else scores[row],
                dict(zip(names, next(features), strict=True)),
                slices[row],
                arms[conversions.arm[row]] if conversions else None,
                f"customer-{conversions.unit[row]}" if conversions else None,
            )

    def _labels(self, served: Served, ids: list[str]) -> Iterator[Event]:
        known = served.label_known & ~served.failed
        labels = class_values(self._service, served.truth)
        times = (served.created_at + served.label_delay_ms).tolist()
        for row in np.flatnonzero(known).tolist():
            outcome = Outcome(ids[row], self._traffic.name, self._time(times[row]), label=labels[row])
            yield self._event(times[row], OUTCOMES, ids[row], outcome)

    def _conversions(self, served: Served, ids: list[str]) -> Iterator[Event]:
        conversions = served.conversions
        if conversions is None:
            return
        known = conversions.known & ~served.failed
        times = (served.created_at + conversions.delay_ms).tolist()
        for row in np.flatnonzero(known).tolist():
            converted = bool(conversions.converted[row])
            revenue = float(conversions.revenue[row]) if converted else None
            outcome = Outcome(ids[row], self._traffic.name, self._time(times[row]), converted=converted, revenue_generated=revenue)
            yield self._event(times[row], OUTCOMES, ids[row], outcome)


def written(feature: Feature, values: Floats, missing: Mask) -> list[FeatureValue]:
    """Return a column of features as it stands in events: text, true/false, whole or decimal numbers, and nulls."""
    column: list[FeatureValue]
    if feature.kind == "category":
        column = [feature.categories[int(code)] for code in values.tolist()]
    elif feature.kind == "flag":
        column = [code >= 0.5 for code in values.tolist()]
    elif feature.kind == "integer":
        column = list(values.astype(np.int64).tolist())
    else:
        column = list(values.tolist())
    for row in np.flatnonzero(missing).tolist():
        column[row] = None
    return column


def class_values(service: Service, values: Floats) -> list[Scalar]:
    """Return classes as whole numbers; the target of a regression to one decimal, always written with it."""
    return list(values.round(1).tolist()) if service.task == "regression" else list(values.astype(np.int64).tolist())


def class_scores(service: Service, probabilities: Floats | None, n: int) -> list[float | dict[str, float] | None]:
    """Return the probability of class 1, or of each class by its name, to four decimals."""
    if probabilities is None:
        return list(itertools.repeat(None, n))
    if service.task == "binary":
        return list(probabilities[:, 1].round(4).tolist())
    names = [str(number) for number in range(probabilities.shape[1])]
    return [dict(zip(names, row, strict=True)) for row in probabilities.round(4).tolist()]


def segment_values(traffic: ModelTraffic, served: Served) -> list[dict[str, str]]:
    """Return the segments of each row by name."""
    columns = []
    for name, codes in served.segments.items():
        values = list(traffic.segments[name])
        columns.append([values[code] for code in codes.tolist()])
    names = list(served.segments)
    if not names:
        return [{} for _ in range(len(served.created_at))]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
