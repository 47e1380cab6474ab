from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import f1_score

from loadgen.duration import Milliseconds
from loadgen.incidents import AnyIncident, ConceptDrift, ConversionDrop, DriftedSegment, Episode, FailingVersion, LatencySpike, NullBurst
from loadgen.models import SERVICES, Trained
from loadgen.models.service import Ints, Mask
from loadgen.scenario import Scenario
from loadgen.serving import Served, serve

ROWS = 8_000
START, END = 4_000, 8_000
"""Incidents hit the rows from START to before END."""
AT = Milliseconds(1)
"""The times in the scenario, which do not matter here."""


def _serve(demo: Scenario, trained: dict[str, Trained], name: str, incidents: Sequence[AnyIncident] = (), seed: int = 1) -> Served:
    traffic = next(model for model in demo.models if model.name == name)
    times: Ints = np.arange(ROWS)
    episodes = [Episode(incident, START, END) for incident in incidents]
    return serve(np.random.default_rng(seed), SERVICES[name], trained[name], traffic, times, episodes, past=False)


_HIT: Mask = np.arange(ROWS) >= START


def _f1(served: Served, rows: Mask, average: str) -> float:
    return float(f1_score(served.truth[rows], served.answers.predicted[rows], average=average))


def test_the_same_seed_serves_the_same_block(demo: Scenario, trained: dict[str, Trained]) -> None:
    one, two = (_serve(demo, trained, "digits") for _ in range(2))
    assert np.array_equal(one.values, two.values)
    assert np.array_equal(one.response_time_ms, two.response_time_ms)


def test_an_incident_of_another_model_changes_nothing(demo: Scenario, trained: dict[str, Trained]) -> None:
    spiked = _serve(demo, trained, "digits", [LatencySpike(model="churn", at=AT, lasts=AT)])
    assert np.array_equal(spiked.response_time_ms, _serve(demo, trained, "digits").response_time_ms)


def test_latency_is_log_normal_with_a_slow_tail(demo: Scenario, trained: dict[str, Trained]) -> None:
    latency = _serve(demo, trained, "digits").response_time_ms
    assert np.median(latency) == pytest.approx(44, rel=0.1)
    assert np.quantile(latency, 0.999) > 6 * np.median(latency)
    assert latency.min() > 0


def test_a_latency_spike_multiplies_the_response_times(demo: Scenario, trained: dict[str, Trained]) -> None:
    latency = _serve(demo, trained, "digits", [LatencySpike(model="digits", factor=6, at=AT, lasts=AT)]).response_time_ms
    assert np.median(latency[_HIT]) / np.median(latency[~_HIT]) == pytest.approx(6, rel=0.1)


def test_a_null_burst_hits_one_feature(demo: Scenario, trained: dict[str, Trained]) -> None:
    missing = _serve(demo, trained, "churn", [NullBurst(model="churn", feature="data_usage_gb", share=0.6, at=AT, lasts=AT)]).missing
    column = SERVICES["churn"].feature_index("data_usage_gb")
    assert missing[_HIT, column].mean() == pytest.approx(0.61, abs=0.03)
    assert missing[~_HIT, column].mean() < 0.05
    assert np.delete(missing, column, axis=1).mean() < 0.03


def test_a_null_burst_in_what_matters_costs_f1(demo: Scenario, trained: dict[str, Trained]) -> None:
    served = _serve(demo, trained, "churn", [NullBurst(model="churn", feature="support_calls", share=1.0, at=AT, lasts=AT)])
    assert _f1(served, _HIT, "binary") < _f1(served, ~_HIT, "binary") - 0.05


def test_a_concept_drift_costs_f1_and_leaves_the_inputs_alone(demo: Scenario, trained: dict[str, Trained]) -> None:
    served = _serve(demo, trained, "churn", [ConceptDrift(model="churn", share=0.85, at=AT, lasts=AT)])
    assert _f1(served, _HIT, "binary") < _f1(served, ~_HIT, "binary") - 0.3
    assert np.array_equal(served.values, _serve(demo, trained, "churn").values)


def test_a_drifted_segment_costs_f1_there_only(demo: Scenario, trained: dict[str, Trained]) -> None:
    drift = DriftedSegment(
        model="digits",
        segment="device",
        value="phone",
        features=("ink_centre", "ink_upper_left", "ink_lower_right"),
        shift=1.8,
        at=AT,
        lasts=AT,
    )
    served = _serve(demo, trained, "digits", [drift])
    phone = served.segments["device"] == 1
    assert _f1(served, _HIT & phone, "macro") < _f1(served, ~_HIT & phone, "macro") - 0.2
    assert _f1(served, _HIT & ~phone, "macro") == pytest.approx(_f1(served, ~_HIT & ~phone, "macro"), abs=0.05)


def test_a_failing_version_fails_alone(demo: Scenario, trained: dict[str, Trained]) -> None:
    served = _serve(demo, trained, "digits", [FailingVersion(model="digits", version="canary", share=0.45, at=AT, lasts=AT)])
    assert served.failed[_HIT & served.canary].mean() == pytest.approx(0.45, abs=0.06)
    assert served.failed[_HIT & ~served.canary].mean() < 0.01


def test_treatment_converts_better_and_a_drop_hits_conversions(demo: Scenario, trained: dict[str, Trained]) -> None:
    conversions = _serve(demo, trained, "churn", [ConversionDrop(model="churn", factor=0.15, at=AT, lasts=AT)]).conversions
    assert conversions is not None
    rates = [conversions.converted[~_HIT & (conversions.arm == arm)].mean() for arm in (0, 1)]
    assert rates == pytest.approx([0.1, 0.14], abs=0.025)
    assert conversions.converted[_HIT].mean() == pytest.approx(0.12 * 0.15, abs=0.01)
    assert np.array_equal(conversions.revenue > 0, conversions.converted)


def test_a_unit_always_sees_the_same_arm(demo: Scenario, trained: dict[str, Trained]) -> None:
    conversions = _serve(demo, trained, "churn").conversions
    assert conversions is not None
    arms: dict[int, set[int]] = {}
    for unit, arm in zip(conversions.unit.tolist(), conversions.arm.tolist(), strict=True):
        arms.setdefault(unit, set()).add(arm)
    assert all(len(seen) == 1 for seen in arms.values())


def test_most_live_labels_come_within_a_minute_and_some_take_days(demo: Scenario, trained: dict[str, Trained]) -> None:
    served = _serve(demo, trained, "churn")
    delays = served.label_delay_ms[served.label_known]
    assert served.label_known.mean() == pytest.approx(0.95, abs=0.02)
    assert ((delays >= 5_000) & (delays <= 60_000)).mean() > 0.9
    assert delays.max() > 86_400_000 * 0.5
