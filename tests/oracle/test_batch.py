"""The oracle itself is right: it agrees with a naive computation, and its events hold what they promise."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.batch import Configuration, Rule, compute
from tests.oracle.events import NOW, generate
from tests.oracle.naive import compute_naively
from tests.oracle.records import Draft, Record, lay_out

HOUR = 3_600_000
MODELS = ("a", "b")
SCALARS = st.sampled_from([0, 1, True, False, 2, "1", "x", "true", 1.0, 1.5, -3])
TIMES = st.sampled_from(
    [NOW - 400 * 24 * HOUR, NOW - 9 * 24 * HOUR, NOW - 6 * HOUR - 4000, NOW - 6 * HOUR, NOW - 15_000, NOW - 1, NOW]
) | st.integers(NOW - 7 * HOUR, NOW)


def _optional(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


PREDICTIONS = st.fixed_dictionaries(
    {
        "prediction_id": st.sampled_from("pqrst"),
        "model": st.sampled_from(MODELS),
        "model_version": st.sampled_from(["1", "2"]),
        "created_at": TIMES,
        "prediction": SCALARS,
        "response_time_ms": _optional(st.integers(0, 9) | st.floats(0, 100)),
        "status": st.sampled_from(["ok", "ok", "error"]),
        "features": _optional(st.dictionaries(st.sampled_from("fgh"), _optional(st.integers(0, 3)), max_size=3)),
        "segments": st.dictionaries(st.sampled_from(["s", "t"]), st.sampled_from(["x", "y"]), max_size=2),
        "variant": _optional(st.sampled_from(["control", "treatment"])),
    }
)
OUTCOMES = st.fixed_dictionaries(
    {
        "prediction_id": st.sampled_from("pqrst"),
        "model": st.sampled_from(MODELS),
        "created_at": TIMES,
        "label": _optional(SCALARS),
        "converted": _optional(st.booleans()),
        "revenue_generated": _optional(st.integers(-2, 30) | st.floats(0, 50)),
    }
)
RULES = st.sampled_from([Rule(), Rule("binary"), Rule("multiclass"), Rule("binary", "s:x"), Rule("", "i:0"), Rule("regression")])


def _records(events: list[dict[str, object]], topic: str, partitions: int) -> list[Record]:
    drafts = [Draft(topic, None, json.dumps(event).encode(), arrival, str(event["prediction_id"])) for arrival, event in enumerate(events)]
    return lay_out(drafts, {topic: partitions}, seed=partitions)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PREDICTIONS, min_size=1, max_size=12), st.lists(OUTCOMES, max_size=12), st.integers(1, 3), RULES)
def test_the_batch_computation_equals_a_naive_one(
    predictions: list[dict[str, object]], outcomes: list[dict[str, object]], partitions: int, rule: Rule
) -> None:
    newest = {**predictions[0], "created_at": NOW, "prediction_id": "newest"}
    records = _records([*predictions, newest], "predictions", partitions) + _records(outcomes, "outcomes", partitions)
    configuration = Configuration(rules={"a": rule})
    expected = compute_naively(records, configuration)
    rows = compute(records, configuration).to_pylist()
    actual = {
        (row["model"], row["model_version"], row["segment"], row["dimension"], row["metric"], row["window"], row["window_start"]): row
        for row in rows
    }
    assert len(actual) == len(rows)
    assert actual.keys() == expected.keys()
    for key, (value, n, status) in expected.items():
        row = actual[key]
        assert (row["n"], row["status"]) == (n, status), key
        assert math.isclose(row["value"], value, rel_tol=1e-9, abs_tol=1e-9), (key, row["value"], value)


def test_the_events_are_the_same_for_the_same_seed_and_end_at_now() -> None:
    drafts = generate(3_000, seed=4)
    assert drafts == generate(3_000, seed=4)
    assert len(drafts) >= 3_000
    assert drafts != generate(3_000, seed=5)
    assert max(draft.arrival for draft in drafts) >= NOW


def test_the_events_hold_every_disorder_that_the_contract_allows() -> None:
    records = lay_out(generate(20_000, seed=2), {"predictions": 4, "outcomes": 3}, seed=2)
    deliveries: dict[tuple[str, str], list[tuple[int, bytes]]] = defaultdict(list)
    for record in records:
        if record.topic == "predictions" and record.defect is None and record.value is not None:
            event = json.loads(record.value)
            deliveries[event["model"], event["prediction_id"]].append((record.partition, record.value))
    repeats = [places for places in deliveries.values() if len(places) > 1]
    assert any(len({partition for partition, _ in places}) > 1 for places in repeats)
    assert any(len(places) > 2 for places in repeats)
    differing = [places for places in repeats if len({value for _, value in places}) > 1]
    assert differing
    assert all(len({partition for partition, _ in places}) == 1 for places in differing)
    defects = Counter(record.defect.name for record in records if record.defect is not None)
    assert len(defects) > 70
