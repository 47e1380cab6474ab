"""What is no event becomes a dead letter that says which field and why; its neighbours are not harmed."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from pipeline.intake import EventReader
from pipeline.settings import PipelineSettings
from schemas.metrics import DEFAULT_RETENTION_MS
from schemas.topics import OUTCOMES
from tests.pipeline.events import NOW, batch, encoded, outcome, prediction, read, reader

HOUR, DAY = 3_600_000, 86_400_000


def without(name: str) -> bytes:
    return encoded({key: value for key, value in prediction().items() if key != name})


def literal(name: str, text: str) -> bytes:
    return encoded(prediction(**{name: "@"})).replace(b'"@"', text.encode())


NAME = "expected a text of 1 to 128 characters"
BAD_PREDICTIONS: list[tuple[str, bytes | None, str, str]] = [
    ("a tombstone", None, "$", "a tombstone (no value); expected an event"),
    ("nothing", b"", "$", "invalid JSON"),
    ("no JSON", b"{prediction", "$", "invalid JSON"),
    ("cut off", encoded(prediction())[:-4], "$", "invalid JSON"),
    ("two documents", encoded(prediction()) * 2, "$", "invalid JSON"),
    ("invalid UTF-8", b'{"model": "\xff"}', "$", "invalid UTF-8 at byte 11"),
    ("invalid UTF-8 in an unknown field", encoded(prediction(x="@")).replace(b"@", b"\xc3\x28"), "$", "invalid UTF-8 at byte"),
    ("a list", b"[1]", "$", "expected an object, got [1]"),
    ("null", b"null", "$", "expected an object, got null"),
    ("too deep", literal("x", "[" * 5000 + "]" * 5000), "$", "nested too deeply"),
    ("NaN", literal("response_time_ms", "NaN"), "$", "invalid JSON"),
    ("Infinity", literal("prediction", "-Infinity"), "$", "invalid JSON"),
    ("id missing", without("prediction_id"), "$.prediction_id", NAME + ", but it is missing"),
    ("id null", encoded(prediction(prediction_id=None)), "$.prediction_id", NAME + ", got null"),
    ("id a number", encoded(prediction(prediction_id=7)), "$.prediction_id", NAME + ", got 7"),
    ("id empty", encoded(prediction(prediction_id="")), "$.prediction_id", NAME + ', got ""'),
    ("id too long", encoded(prediction(prediction_id="i" * 129)), "$.prediction_id", NAME + ', got "iii'),
    ("model missing", without("model"), "$.model", NAME + ", but it is missing"),
    ("version null", encoded(prediction(model_version=None)), "$.model_version", NAME + ", got null"),
    ("time missing", without("created_at"), "$.created_at", "expected an RFC 3339 time or epoch milliseconds, but it is missing"),
    ("time null", encoded(prediction(created_at=None)), "$.created_at", "expected an RFC 3339 time or epoch milliseconds, got null"),
    ("time in words", encoded(prediction(created_at="noon")), "$.created_at", 'epoch milliseconds, got "noon"'),
    (
        "time without offset",
        encoded(prediction(created_at="2026-03-14T10:00:00")),
        "$.created_at",
        "expected a time with an offset (such as Z)",
    ),
    ("time in seconds", encoded(prediction(created_at=NOW // 1000)), "$.created_at", "(epoch milliseconds are expected, not seconds)"),
    ("time of zero", encoded(prediction(created_at=0)), "$.created_at", "got 1970-01-01T00:00:00.000Z"),
    ("time too old", encoded(prediction(created_at=NOW - 3651 * DAY)), "$.created_at", "expected a time from 2016-03-"),
    (
        "time ahead",
        encoded(prediction(created_at=NOW + 300_001)),
        "$.created_at",
        "expected a time at most 300 s ahead of the clock, got 2026-03-14",
    ),
    (
        "time beyond all",
        encoded(prediction(created_at=10**18)),
        "$.created_at",
        "expected an RFC 3339 time or epoch milliseconds, got 1000000000",
    ),
    ("time a boolean", encoded(prediction(created_at=True)), "$.created_at", "got true"),
    ("latency a text", encoded(prediction(response_time_ms="fast")), "$.response_time_ms", 'expected a number >= 0, got "fast"'),
    ("latency negative", encoded(prediction(response_time_ms=-1)), "$.response_time_ms", "expected a number >= 0, got -1"),
    ("latency out of range", literal("response_time_ms", "1e999"), "$", "out of range"),
    ("status unknown", encoded(prediction(status="late")), "$.status", 'expected "ok" or "error", got "late"'),
    ("prediction missing", without("prediction"), "$.prediction", "it is missing (required when status is ok)"),
    ("prediction null", encoded(prediction(prediction=None)), "$.prediction", "it is missing (required when status is ok)"),
    ("prediction a list", encoded(prediction(prediction=[1])), "$.prediction", "expected a text, a number or a boolean, got [1]"),
    ("prediction too large", encoded(prediction(prediction=2**53 + 1)), "$.prediction", "expected an integer of less than 2**53 in size"),
    (
        "prediction just too large",
        encoded(prediction(prediction=-(2**53))),
        "$.prediction",
        "expected an integer of less than 2**53 in size",
    ),
    ("prediction too long", encoded(prediction(prediction="c" * 257)), "$.prediction", "expected at most 256 characters, got 257"),
    ("score above 1", encoded(prediction(score=1.01)), "$.score", "expected a number from 0 to 1, or an object of them by class, got 1.01"),
    ("a class's score", encoded(prediction(score={"a": 0.5, "b": 2})), "$.score.b", "expected a number from 0 to 1, got 2"),
    ("features a list", encoded(prediction(features=[])), "$.features", "expected an object of numbers, texts, booleans and nulls, got []"),
    (
        "a feature a list",
        encoded(prediction(features={"age": 3, "zip": []})),
        "$.features.zip",
        "a number, a text, a boolean or null, got []",
    ),
    ("a feature's name", encoded(prediction(features={"f" * 257: 1})), "$.features.ffff", "expected a name of at most 256 characters"),
    ("a segment a number", encoded(prediction(segments={"region": 4})), "$.segments.region", "expected a text, got 4"),
    ("a segment without name", encoded(prediction(segments={"": "eu"})), "$.segments.", "expected names and values of 1 to 256 characters"),
    (
        "a segment too long",
        encoded(prediction(segments={"r": "e" * 257})),
        "$.segments.r",
        "expected names and values of 1 to 256 characters",
    ),
    ("variant a number", encoded(prediction(variant=1)), "$.variant", NAME + ", got 1"),
    ("variant empty", encoded(prediction(variant="")), "$.variant", NAME + ', got ""'),
    ("unit a number", encoded(prediction(unit_id=1)), "$.unit_id", "expected a text, got 1"),
    ("schema version a text", encoded(prediction(schema_version="1")), "$.schema_version", 'expected an integer, got "1"'),
    ("too large", encoded(prediction(x="x" * 1_000_001)), "$", "expected at most 1000000"),
]
BAD_OUTCOMES: list[tuple[str, bytes | None, str, str]] = [
    ("label an object", encoded(outcome(label={})), "$.label", "expected a text, a number or a boolean, got {}"),
    ("label too large", encoded(outcome(label=-(2**53) - 1)), "$.label", "expected an integer of less than 2**53 in size"),
    ("converted a number", encoded(outcome(converted=1)), "$.converted", "expected a boolean, got 1"),
    ("revenue a text", encoded(outcome(revenue_generated="12")), "$.revenue_generated", 'expected a number, got "12"'),
    ("model null", encoded(outcome(model=None)), "$.model", NAME + ", got null"),
]


def ids(cases: list[tuple[str, bytes | None, str, str]]) -> list[str]:
    return [name for name, *_ in cases]


@pytest.mark.parametrize(("_", "value", "path", "reason"), BAD_PREDICTIONS, ids=ids(BAD_PREDICTIONS))
def test_a_bad_prediction_is_set_aside_as_received_with_its_reason(_: str, value: bytes | None, path: str, reason: str) -> None:
    intake = read([encoded(prediction(prediction_id="before")), value, encoded(prediction(prediction_id="after"))], start=40)
    assert intake.predictions is not None
    assert intake.predictions.offset.tolist() == [40, 42]
    (letter,) = intake.dead
    assert (letter.topic, letter.partition, letter.offset, letter.key, letter.value) == ("predictions", 0, 41, b"key-1", value)
    assert letter.rejection.path.startswith(path)
    assert letter.rejection.reason.startswith(f"{letter.rejection.path}: ")
    assert reason in letter.rejection.reason
    assert len(letter.rejection.reason) < 300


@pytest.mark.parametrize(("_", "value", "path", "reason"), BAD_OUTCOMES, ids=ids(BAD_OUTCOMES))
def test_a_bad_outcome_is_set_aside_as_received_with_its_reason(_: str, value: bytes, path: str, reason: str) -> None:
    intake = read([value, encoded(outcome(label=1))], topic=OUTCOMES)
    assert intake.outcomes is not None
    assert intake.outcomes.offset.tolist() == [1]
    assert [(letter.rejection.path, reason in letter.rejection.reason) for letter in intake.dead] == [(path, True)]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("field", ["model", "created_at", "prediction", "segments", "features", "unknown", ""])
def test_whatever_its_depth_a_message_is_read_or_set_aside(field: str, opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    nested = [opening * depth + "1" + closing * depth for depth in range(980, 1030)]  # Python's and orjson's own limits are among these
    intake = read([literal(field, text) if field else text.encode() for text in nested])
    assert len(intake.dead) + (0 if intake.predictions is None else len(intake.predictions)) == len(nested)


@pytest.mark.parametrize("message", [encoded(prediction(status=5))[:-1] + b',"x":[', literal("status", "[" * 1030 + "]" * 1030)])
def test_of_what_is_no_json_as_a_whole_nothing_is_said_to_have_come(message: bytes) -> None:
    assert [letter.rejection.reason for letter in read([message]).dead] == ['$.status: expected "ok" or "error"']


def test_every_kind_of_bad_input_in_one_batch_leaves_in_the_order_that_it_came() -> None:
    values: list[bytes | None] = []
    for number, (_, value, _, _) in enumerate(BAD_PREDICTIONS):
        values += [value, encoded(prediction(prediction_id=f"good-{number}"))]
    intake = read(values)
    assert intake.predictions is not None
    assert intake.predictions.offset.tolist() == list(range(1, len(values), 2))
    assert [letter.offset for letter in intake.dead] == list(range(0, len(values), 2))
    assert [letter.rejection.path.startswith(path) for letter, (_, _, path, _) in zip(intake.dead, BAD_PREDICTIONS, strict=True)] == [
        True
    ] * len(BAD_PREDICTIONS)


def test_a_batch_of_nothing_but_bad_messages_moves_on() -> None:
    intake = read([None, b"[]", encoded(prediction(created_at=0))], start=9)
    assert (intake.predictions, intake.progress.start, intake.progress.end, intake.progress.newest) == (None, 9, 12, None)
    assert len(intake.dead) == 3


def test_a_null_in_an_optional_field_means_that_it_is_absent() -> None:
    optional = ("response_time_ms", "status", "score", "features", "segments", "variant", "unit_id", "schema_version")
    intake = read([encoded(prediction(**dict.fromkeys(optional)))])
    assert intake.dead == []
    assert intake.predictions is not None
    assert intake.predictions.profiles == [("churn", "v1", ())]


def test_an_error_needs_no_prediction() -> None:
    assert read([encoded(prediction(status="error", prediction=None))]).dead == []


def test_unknown_fields_are_no_error() -> None:
    assert read([encoded(prediction(extra={"deep": [1, {"x": None}]}))]).dead == []


def test_a_clock_far_ahead_does_not_make_its_neighbours_too_old() -> None:
    ahead = encoded(prediction(created_at=NOW + 20 * 365 * DAY))
    intake = read([ahead, encoded(prediction(created_at=NOW - DAY)), ahead])
    assert [letter.offset for letter in intake.dead] == [0, 2]
    assert intake.progress.newest == NOW - DAY


def test_an_event_in_time_but_older_than_the_newest_known_by_all_retention_is_too_old() -> None:
    old = batch([encoded(prediction(created_at=NOW - 3649 * DAY))])
    assert reader(newest=NOW - 10 * DAY).read(old).dead == []
    assert len(reader(newest=NOW + 2 * DAY).read(old).dead) == 1


@pytest.mark.parametrize(
    ("longest", "first"),
    [("1d", (NOW - 20 * DAY) // DAY * DAY), ("7d", (NOW - 20 * DAY) // HOUR * HOUR + HOUR - 7 * DAY)],
    ids=["of a day", "of seven days"],
)
def test_what_a_window_that_is_kept_begins_with_is_not_too_old_in_whichever_order_it_is_read(longest: str, first: int) -> None:
    retention_ms = {**dict.fromkeys(DEFAULT_RETENTION_MS, HOUR), longest: 20 * DAY}
    brief = EventReader(PipelineSettings(retention_ms=retention_ms), lambda: NOW, NOW)
    intake = brief.read(batch([encoded(prediction(created_at=first - 1)), encoded(prediction(created_at=first))]))
    assert [letter.offset for letter in intake.dead] == [0]


@pytest.mark.parametrize("cut", [b'{"a": "\xc3', b"\xe2\x82"])
def test_a_character_cut_at_the_end_of_a_message_is_not_completed_by_the_next(cut: bytes) -> None:
    intake = read([cut, b"\xa9", encoded(prediction())])
    assert [letter.offset for letter in intake.dead] == [0, 1]


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00x", "a\\ud83dz", "\\ud83d\\ud83d"])
@pytest.mark.parametrize("field", ["model", "prediction", "variant", "prediction_id"])
def test_half_a_surrogate_pair_is_no_text(field: str, text: str) -> None:
    intake = read([encoded(prediction(**{field: "@"})).replace(b"@", text.encode())])
    assert len(intake.dead) == 1


def test_a_few_bad_messages_do_not_slow_their_batch_much() -> None:
    good: list[bytes | None] = [
        encoded(
            prediction(prediction_id=f"p{number}", features={"a": number, "b": "x", "c": None}, segments={"r": "eu"}, response_time_ms=4.5)
        )
        for number in range(10_000)
    ]
    bad = list(good)
    bad[777], bad[5000], bad[9998] = None, encoded(prediction(prediction=None)), encoded(prediction(created_at=0))

    def seconds(values: list[bytes | None]) -> float:
        reads = reader()
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            intake = reads.read(batch(values))
            best = min(best, time.process_time() - start)
            assert intake.predictions is not None
        return best

    assert seconds(bad) < 8 * seconds(good)


@pytest.mark.parametrize(
    "wrong",
    [{"segments": {"tier": 3}}, {"prediction": None}, {"created_at": "2026-03-14T10:00:00"}],
    ids=["segments", "prediction", "time"],
)
def test_what_a_producer_gets_wrong_in_each_event_is_set_aside_as_fast_as_good_ones_are_read(wrong: dict[str, Any]) -> None:
    def seconds(**fields: Any) -> float:
        values: list[bytes | None] = [encoded(prediction(prediction_id=f"p{number}", **fields)) for number in range(5_000)]
        start = time.process_time()
        assert len(reader().read(batch(values)).dead) == (len(values) if fields else 0)
        return time.process_time() - start

    seconds()
    assert min(seconds(**wrong) for _ in range(3)) < 12 * min(seconds() for _ in range(3))


@pytest.mark.parametrize(
    ("sent", "milliseconds"),
    [
        (NOW, NOW),
        (NOW + 0.75, NOW),
        (float(NOW), NOW),
        ("2026-03-14T10:47:23Z", NOW),
        ("2026-03-14T10:47:23.000Z", NOW),
        ("2026-03-14t10:47:23z", NOW),
        ("2026-03-14T11:47:23+01:00", NOW),
        ("2026-03-14T05:17:23-05:30", NOW),
        ("2026-03-14T10:47:22.999999Z", NOW - 1),
        ("2026-03-14T10:47:22.9994Z", NOW - 1),
        ("1999-12-31T23:59:59.999-00:30", 946_686_599_999),
    ],
)
def test_times_are_read_in_whole_milliseconds(sent: Any, milliseconds: int) -> None:
    for values in ([sent], [sent, NOW], [sent, "2026-03-14T10:47:23Z"]):
        intake = reader(newest=946_684_800_001).read(batch([orjson.dumps(prediction(created_at=value)) for value in values]))
        rejected = [letter.rejection.reason for letter in intake.dead]
        assert intake.predictions is not None, rejected
        if milliseconds > NOW - DAY:
            assert intake.predictions.created_at[0] == milliseconds, rejected
