from __future__ import annotations

import itertools
import json
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadgen.encoding import EventWriter
from loadgen.models import SERVICES, Trained
from loadgen.scenario import Scenario
from loadgen.schedule import Event
from loadgen.serving import Served, serve
from schemas.events import Outcome, Prediction
from schemas.topics import OUTCOMES, PREDICTIONS

NOW = 1_700_000_000_000


def _block(demo: Scenario, trained: dict[str, Trained], index: int, rows: int, seed: int) -> tuple[Served, list[Event]]:
    traffic = demo.models[index]
    rng = np.random.default_rng(seed)
    service = SERVICES[traffic.name]
    served = serve(rng, service, trained[traffic.name], traffic, NOW + np.arange(rows), [], past=False)
    writer = EventWriter(service, traffic, demo.disorder, "run", itertools.count())
    return served, list(writer.write(rng, served, 7))


def _predictions(events: list[Event]) -> list[Prediction]:
    return [msgspec.json.decode(event.value, type=Prediction) for event in events if event.topic == PREDICTIONS]


def _outcomes(events: list[Event]) -> list[Outcome]:
    return [msgspec.json.decode(event.value, type=Outcome) for event in events if event.topic == OUTCOMES]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(index=st.integers(0, 2), rows=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_every_event_reads_back_as_what_was_served(demo: Scenario, trained: dict[str, Trained], index: int, rows: int, seed: int) -> None:
    served, events = _block(demo, trained, index, rows, seed)
    service = SERVICES[demo.models[index].name]
    by_id = {prediction.prediction_id: prediction for prediction in _predictions(events)}
    assert len(by_id) == rows
    for row in range(rows):
        prediction = by_id[f"{service.name}-run-7-{row}"]
        assert prediction.model == service.name
        assert prediction.model_version == (service.canary_version if served.canary[row] else service.stable_version)
        assert prediction.response_time_ms == served.response_time_ms[row]
        assert prediction.status == ("error" if served.failed[row] else "ok")
        assert (prediction.prediction is None) == bool(served.failed[row])
        assert prediction.features is not None
        assert [value is None for value in prediction.features.values()] == served.missing[row].tolist()
    for outcome in _outcomes(events):
        row = int(outcome.prediction_id.rpartition("-")[2])
        if outcome.label is not None:
            assert outcome.label == served.truth[row]
        else:
            assert served.conversions is not None
            assert outcome.converted == served.conversions.converted[row]
            assert (outcome.revenue_generated is not None) == outcome.converted


@pytest.mark.parametrize(("index", "kind"), [(0, int), (1, int), (2, float)])
def test_classes_are_whole_numbers_and_targets_always_have_decimals(
    demo: Scenario, trained: dict[str, Trained], index: int, kind: type
) -> None:
    _, events = _block(demo, trained, index, 300, 3)
    for event in events:
        raw = json.loads(event.value)
        for field in ("prediction", "label"):
            assert field not in raw or type(raw[field]) is kind


def test_features_have_the_types_of_the_world(demo: Scenario, trained: dict[str, Trained]) -> None:
    _, events = _block(demo, trained, 0, 200, 3)
    seen: dict[str, set[type]] = {}
    for prediction in _predictions(events):
        for name, value in (prediction.features or {}).items():
            seen.setdefault(name, set()).add(type(value))
    without_nulls = {name: kinds - {type(None)} for name, kinds in seen.items()}
    assert without_nulls["tenure_months"] == {int}
    assert without_nulls["monthly_charges"] == {float}
    assert without_nulls["contract"] == {str}
    assert without_nulls["paperless_billing"] == {bool}
    assert type(None) in set().union(*seen.values())


def test_times_are_milliseconds_or_text_and_mean_the_same(demo: Scenario, trained: dict[str, Trained]) -> None:
    _, numbers = _block(demo, trained, 0, 5, 3)
    _, texts = _block(demo, trained, 2, 5, 3)
    assert {prediction.created_at for prediction in _predictions(numbers)} == {NOW + row for row in range(5)}
    moments = [prediction.created_at for prediction in _predictions(texts)]
    assert sorted(round(moment.timestamp() * 1000) for moment in moments if not isinstance(moment, (int, float))) == [
        NOW + row for row in range(5)
    ]


def test_a_few_events_come_twice_and_a_few_late(demo: Scenario, trained: dict[str, Trained]) -> None:
    served, events = _block(demo, trained, 0, 20_000, 4)
    sent = [event for event in events if event.topic == PREDICTIONS]
    deliveries = Counter(event.key for event in sent)
    assert sum(deliveries.values()) - len(deliveries) == pytest.approx(100, abs=40)
    first_due = {event.key: event.due_ms for event in reversed(sent)}
    held = [first_due[f"churn-run-7-{row}".encode()] - int(at) for row, at in enumerate(served.created_at)]
    assert min(held) >= 0
    assert np.mean(np.array(held) > 0) == pytest.approx(0.01, abs=0.004)
    assert max(held) <= demo.disorder.too_late_by


def test_an_error_has_no_outcome(demo: Scenario, trained: dict[str, Trained]) -> None:
    served, events = _block(demo, trained, 0, 5_000, 4)
    failed = {f"churn-run-7-{row}" for row in np.flatnonzero(served.failed)}
    assert failed
    assert not failed & {outcome.prediction_id for outcome in _outcomes(events)}
