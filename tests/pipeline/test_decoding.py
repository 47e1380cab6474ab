"""What was sent is what arrives in the columns; and nothing that can be sent breaks the reader."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from threading import Thread
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.columnize import hashes
from pipeline.columns import ABSENT, KeySet, Outcomes, Predictions, Profile
from schemas.events import Outcome
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import NOW, batch, encoded, outcome, prediction, read, reader

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
NAME = st.one_of(st.sampled_from(["a", "b", "__other__", "*"]), TEXT)
SCALAR = st.one_of(st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False), TEXT)
FLOAT = st.floats(0, 1e9)


@st.composite
def times(draw: st.DrawFn) -> tuple[Any, int]:
    """A time as it may be sent, and its milliseconds."""
    at = NOW - draw(st.integers(0, 10**10))
    zone = timezone(timedelta(minutes=draw(st.integers(-14 * 60, 14 * 60))))
    moment = datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)
    return draw(st.sampled_from([(at, at), (at + 0.25, at), (moment.astimezone(zone).isoformat(), at)]))


PREDICTION = st.fixed_dictionaries(
    {"prediction_id": NAME, "model": NAME, "model_version": NAME, "created_at": times(), "prediction": SCALAR},
    optional={
        "response_time_ms": FLOAT,
        "status": st.sampled_from(["ok", "error", None]),
        "features": st.dictionaries(TEXT, st.one_of(st.none(), SCALAR), max_size=4),
        "segments": st.dictionaries(TEXT, TEXT, max_size=3),
        "variant": st.one_of(st.none(), NAME),
        "unknown": SCALAR,
    },
)
OUTCOME = st.fixed_dictionaries(
    {"prediction_id": NAME, "model": NAME, "created_at": times()},
    optional={
        "label": st.one_of(st.none(), SCALAR),
        "converted": st.one_of(st.none(), st.booleans()),
        "revenue_generated": st.one_of(st.none(), st.floats(-1e9, 1e9), st.integers(-(10**9), 10**9)),
    },
)


def sent(events: list[dict[str, Any]]) -> list[bytes | None]:
    return [orjson.dumps(event | {"created_at": event["created_at"][0]}) for event in events]


def assert_answer(columns: Predictions | Outcomes, row: int, model: str, value: Any) -> None:
    """Demand that a prediction or label came through: as a class when it is a text or boolean, else as a number."""
    position = columns.class_[row]
    if isinstance(value, (str, bool)):
        assert columns.classes[position] == (model, orjson.dumps(value if isinstance(value, str) else int(value)).decode())
        assert math.isnan(columns.number[row])
    elif value is None:
        assert position == ABSENT
        assert math.isnan(columns.number[row])
    else:
        assert (position, columns.number[row], columns.written_as_float[row]) == (ABSENT, value, isinstance(value, float))


@given(st.lists(PREDICTION, min_size=1, max_size=12))
def test_predictions_arrive_in_the_columns_as_they_were_sent(events: list[dict[str, Any]]) -> None:
    intake = read(sent(events))
    assert intake.dead == []
    rows = intake.predictions
    assert rows is not None
    assert rows.created_at.tolist() == [event["created_at"][1] for event in events]
    assert intake.progress.newest == max(event["created_at"][1] for event in events)
    nulls = {(row, rows.features[feature]) for row, feature in zip(rows.null_row.tolist(), rows.null_feature.tolist(), strict=True)}
    for row, event in enumerate(events):
        model, features = event["model"], event.get("features", {})
        assert rows.profiles[rows.profile[row]] == Profile(model, event["model_version"], tuple(sorted(event.get("segments", {}).items())))
        assert rows.key_sets[rows.key_set[row]] == KeySet(model, tuple(sorted(features)))
        assert rows.variants[rows.variant[row]] == (model, event.get("variant") or "")
        assert rows.error[row] == (event.get("status") == "error")
        assert_answer(rows, row, model, event["prediction"])
        np.testing.assert_equal(rows.latency_ms[row], event.get("response_time_ms", math.nan))
        assert {pair for at, pair in nulls if at == row} == {(model, name) for name, value in features.items() if value is None}


@given(st.lists(OUTCOME, min_size=1, max_size=12))
def test_outcomes_arrive_in_the_columns_as_they_were_sent(events: list[dict[str, Any]]) -> None:
    intake = read(sent(events), topic=OUTCOMES)
    assert intake.dead == []
    rows = intake.outcomes
    assert rows is not None
    assert rows.created_at.tolist() == [event["created_at"][1] for event in events]
    for row, event in enumerate(events):
        assert rows.profiles[rows.profile[row]] == Profile(event["model"], "", ())
        assert_answer(rows, row, event["model"], event.get("label"))
        assert rows.converted[row] == {None: -1, False: 0, True: 1}[event.get("converted")]
        revenue = event.get("revenue_generated")
        np.testing.assert_equal(rows.revenue[row], math.nan if revenue is None else float(revenue))


@given(st.lists(st.tuples(NAME, NAME), min_size=1, max_size=20))
def test_one_hash_stands_for_one_id_of_one_model(keys: list[tuple[str, str]]) -> None:
    found = hashes([Outcome(id_, model, 0) for id_, model in keys]).tolist()
    assert len({tuple(pair) for pair in found}) == len(set(keys))
    assert len(dict(zip(keys, map(tuple, found), strict=True))) == len(set(keys))


def test_a_hash_does_not_depend_on_the_batch_it_came_in() -> None:
    alone = hashes([Outcome("p", "churn", 0)])
    assert hashes([Outcome("q", "other", 0), Outcome("p", "churn", 0)])[1].tolist() == alone[0].tolist()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid event with some of its bytes changed, or one of its values replaced by another JSON value."""
    event = draw(st.sampled_from([prediction(score=0.5, features={"a": 1}, segments={"r": "eu"}), outcome(label=1, converted=True)]))
    if draw(st.booleans()):
        json_values = st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
            lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXT, inner, max_size=2)),
            max_leaves=4,
        )
        return json.dumps(event | {draw(st.sampled_from(sorted(event))): draw(json_values)}).encode()
    data = bytearray(encoded(event))
    for _ in range(draw(st.integers(1, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.sampled_from(b'"{}[]:,\\0-e. \xff\xc3n\x00'))
    return bytes(data)


@settings(max_examples=150)
@given(st.lists(st.one_of(st.none(), st.binary(max_size=30), mutated()), min_size=1, max_size=8), st.sampled_from([PREDICTIONS, OUTCOMES]))
def test_whatever_is_sent_is_either_an_event_or_a_dead_letter(values: list[bytes | None], topic: str) -> None:
    values = [encoded(prediction()), *values, encoded(prediction())]
    intake = read(values, topic=topic, start=100)
    rows = intake.predictions if topic == PREDICTIONS else intake.outcomes
    assert rows is not None
    good, bad = rows.offset.tolist(), [letter.offset for letter in intake.dead]
    assert sorted(good + bad) == list(range(100, 100 + len(values)))
    assert (good, bad) == (sorted(good), sorted(bad))
    assert [letter.value for letter in intake.dead] == [values[offset - 100] for offset in bad]
    for letter in intake.dead:
        letter.rejection.reason.encode()
        letter.rejection.path.encode()


@pytest.mark.parametrize("topic", [PREDICTIONS, OUTCOMES])
def test_nesting_at_the_edge_of_what_the_parsers_read_is_an_event_or_a_dead_letter_with_its_reason(topic: str) -> None:
    good = encoded(prediction() if topic == PREDICTIONS else outcome(label=1))
    bad = encoded(prediction(created_at=5))
    places = (
        b',"unknown":%b',
        b',"features":{"a":%b}',
        b',"segments":{"a":%b}',
        b',"score":%b',
        b',"label":%b',
        b',"status":5,"unknown":%b',
    )
    fates: set[tuple[bytes, str]] = set()

    def at_the_edge() -> None:
        for place, levels, (opening, closing) in product(places, range(980, 1031), ((b"[", b"]"), (b'{"a":', b"}"))):
            nested = good[:-1] + place % (opening * levels + b"1" + closing * levels) + b"}"
            for before in (good, bad):  # alone a bad neighbour has them decoded one by one
                intake = read([before, nested, good], topic=topic)
                rows, reasons = intake.predictions or intake.outcomes, {letter.offset: letter.rejection.reason for letter in intake.dead}
                assert rows is not None
                assert sorted([*rows.offset.tolist(), *reasons]) == [0, 1, 2]
                assert (2 in reasons, 0 in reasons) == (False, before == bad)
                fates.add((place, reasons.get(1, "an event")))

    thread = Thread(target=at_the_edge)  # with a stack as short as the reading process has: the limit counts from its bottom
    thread.start()
    thread.join()
    assert {fate for place, fate in fates if place == places[0]} == {"an event", "$: nested too deeply"}
    assert all(fate == "an event" or fate.startswith("$") for _, fate in fates)


@given(st.lists(PREDICTION, min_size=1, max_size=10), st.data())
def test_an_event_is_read_the_same_alone_as_among_others(events: list[dict[str, Any]], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(events) - 1))
    together, alone = read(sent(events)).predictions, read(sent([events[row]])).predictions
    assert together is not None
    assert alone is not None
    assert together.hash[row].tolist() == alone.hash[0].tolist()
    assert together.profiles[together.profile[row]] == alone.profiles[0]


def test_a_gap_in_the_offsets_does_not_shift_what_is_good_and_bad() -> None:
    whole = batch([encoded(prediction()), encoded(prediction(created_at=1)), encoded(prediction()), None])
    object.__setattr__(whole, "offsets", np.array([5, 9, 12, 40]))
    intake = reader().read(whole)
    assert intake.predictions is not None
    assert intake.predictions.offset.tolist() == [5, 12]
    assert [(letter.offset, letter.key) for letter in intake.dead] == [(9, b"key-1"), (40, b"key-3")]
