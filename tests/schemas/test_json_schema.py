"""The JSON Schema files say what the code says: both accept and refuse the same events."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipeline.intake import EventReader, RawBatch
from pipeline.settings import PipelineSettings
from schemas.json_schema import DIALECT, TYPES, file_of, schema_of, text_of
from schemas.metrics import MetricRow, MetricsMessage
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import NOW, batch, outcome, prediction

TOPIC = {"prediction": PREDICTIONS, "outcome": OUTCOMES}


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(name))


def is_accepted(name: str, event: Any) -> bool:
    """Tell whether the pipeline takes it."""
    whole: RawBatch = batch([orjson.dumps(event)], topic=TOPIC[name])
    return not EventReader(PipelineSettings(), lambda: NOW, NOW).read(whole).dead


@pytest.mark.parametrize("name", TYPES)
def test_the_file_is_what_the_types_say(name: str) -> None:
    assert file_of(name).read_bytes() == text_of(name), "run python -m schemas.json_schema"


@pytest.mark.parametrize("name", TYPES)
def test_each_file_is_a_valid_schema_of_its_dialect_with_all_fields_described(name: str) -> None:
    schema = orjson.loads(file_of(name).read_bytes())
    Draft202012Validator.check_schema(schema)
    assert (schema["$schema"], schema["$id"]) == (DIALECT, f"urn:control-tower:{name}:1")
    for part in [schema, *schema.get("$defs", {}).values()]:
        assert part["title"]
        assert part["description"]
        assert all(len(rules["description"]) > 5 and rules["title"] for rules in part["properties"].values())
    assert set(schema["properties"]) == {field.encode_name for field in msgspec.structs.fields(TYPES[name][0])}


FULL_PREDICTION = prediction(
    response_time_ms=4.5,
    status="ok",
    score={"0": 0.1, "1": 0.9},
    features={"age": 31, "plan": "pro", "new": True, "income": None},
    segments={"region": "eu"},
    variant="control",
    unit_id="u-1",
    schema_version=1,
    unknown=[1],
)
FULL_OUTCOME = outcome(label="yes", converted=False, revenue_generated=-4, schema_version=1)
CHANGES: list[tuple[str, Any]] = [
    *[
        (field, value)
        for field in sorted(FULL_PREDICTION | FULL_OUTCOME)
        for value in (None, 1, 0.5, -3, "x", "", True, [], {}, {"a": None})
    ],
    *[(field, "x" * 129) for field in ("prediction_id", "model", "model_version", "variant")],
    *[("created_at", value) for value in ("2026-03-14T10:00:00Z", "2026-03-14T10:00:00+05:30", "2026-03-14T10:00:00.25z")],
    *[("created_at", value) for value in ("2026-03-14", "2026-03-14T10:00:00", "10:00:00Z", float(NOW))],
    ("status", "error"),
    ("score", {"a": 1.5}),
    ("score", {"a": True}),
    ("score", 1),
    ("features", {"a": {}}),
    ("segments", {"a": 1}),
]


def comparable(field: str, value: Any) -> bool:
    """Tell whether JSON Schema can say it: it knows no clock, and takes 1.0 for an integer."""
    return not (field == "created_at" and isinstance(value, (int, float)) and not isinstance(value, bool) and value != NOW)


@pytest.mark.parametrize("name", TOPIC)
def test_the_schema_and_the_decoder_agree_on_what_is_an_event(name: str) -> None:
    valid = {"prediction": FULL_PREDICTION, "outcome": FULL_OUTCOME}[name]
    check = validator(name)
    cases = [valid, *({**valid, field: value} for field, value in CHANGES if comparable(field, value))]
    cases += [{key: value for key, value in valid.items() if key != field} for field in valid]
    cases += [{**valid, "status": "error", "prediction": None}, [], "text", None, {}]
    disagree = [event for event in cases if check.is_valid(event) != is_accepted(name, event)]
    assert disagree == []
    assert {check.is_valid(event) for event in cases} == {True, False}


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([0.5, 1.5, NOW]), st.sampled_from(["", "ok", "error", "x"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)),
    max_leaves=3,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(TOPIC)), st.dictionaries(st.sampled_from(sorted(FULL_PREDICTION | FULL_OUTCOME)), JSON, max_size=3))
def test_they_agree_on_events_with_any_values_too(name: str, changes: dict[str, Any]) -> None:
    if not all(comparable(field, value) for field, value in changes.items()):
        return
    event = {"prediction": FULL_PREDICTION, "outcome": FULL_OUTCOME}[name] | changes
    assert validator(name).is_valid(event) == is_accepted(name, event)


def test_a_metrics_message_is_what_its_schema_says() -> None:
    row = MetricRow("", "f1_score", 0.5, 10, 0.25)
    message = MetricsMessage("churn", "*", "plan=pro", "7d", NOW - 7 * 86_400_000, NOW, "final", 3, NOW, [row])
    sent = orjson.loads(msgspec.json.encode(message))
    check = validator("metrics")
    check.validate(sent)
    for wrong in ({"window": "2d"}, {"status": "done"}, {"rows": [{**sent["rows"][0], "n": "many"}]}, {"revision": None}):
        with pytest.raises(jsonschema.ValidationError):
            check.validate(sent | wrong)
    with pytest.raises(jsonschema.ValidationError):
        check.validate({key: value for key, value in sent.items() if key != "rows"})
