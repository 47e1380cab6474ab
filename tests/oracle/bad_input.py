"""Every kind of bad input of the contract, with the path that its dead letter must name."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

from tests.oracle.records import Defect, Draft
from tests.oracle.services import Event, Json

Break = Callable[[Event], bytes | None]
DAY = 86_400_000


def _field(name: str, value: Json) -> Break:
    return lambda event: json.dumps({**event, name: value}).encode()


def _without(name: str) -> Break:
    return lambda event: json.dumps({key: value for key, value in event.items() if key != name}).encode()


def _literal(name: str, text: bytes) -> Break:
    """Write a field as raw bytes that `json.dumps` would not."""
    return lambda event: json.dumps({**event, name: "@raw@"}).encode().replace(b'"@raw@"', text)


def _whole(value: bytes | None) -> Break:
    return lambda event: value


Kind = tuple[Defect, Break]


def _both() -> Iterator[Kind]:
    """Yield what can be wrong with events of either topic."""
    yield Defect("tombstone"), _whole(None)
    yield Defect("empty value"), _whole(b"")
    yield Defect("invalid JSON"), _whole(b"{not json")
    yield Defect("cut off"), lambda event: json.dumps(event).encode()[:-7]
    yield Defect("text after the end"), lambda event: json.dumps(event).encode() + b" x"
    yield Defect("two documents"), lambda event: json.dumps(event).encode() + b"\n{}"
    yield Defect("byte order mark"), lambda event: b"\xef\xbb\xbf" + json.dumps(event).encode()
    yield Defect("invalid UTF-8 in a name"), _literal("model", b'"ch\xff\xferun"')
    yield Defect("null"), _whole(b"null")
    yield Defect("an array"), _whole(b"[1,2,3]")
    yield Defect("a string"), _whole(b'"prediction"')
    yield Defect("a number"), _whole(b"42")
    yield Defect("an empty object"), _whole(b"{}")
    yield Defect("over-deep unknown field"), _literal("extra", b"[" * 20_000 + b"]" * 20_000)
    yield Defect("over-deep objects"), _literal("extra", b'{"a":' * 20_000 + b"1" + b"}" * 20_000)
    for name in ("prediction_id", "model", "created_at"):
        yield Defect(f"no {name}", "$", name), _without(name)
        yield Defect(f"null {name}", f"$.{name}"), _field(name, None)
    for name in ("prediction_id", "model"):
        yield Defect(f"{name} is a number", f"$.{name}"), _field(name, 12)
        yield Defect(f"{name} is empty", f"$.{name}"), _field(name, "")
        yield Defect(f"{name} is too long", f"$.{name}"), _field(name, "x" * 129)
    yield Defect("time without offset", "$.created_at"), _field("created_at", "2026-03-14T10:00:00")
    yield Defect("time in words", "$.created_at"), _field("created_at", "yesterday")
    yield Defect("time of no calendar", "$.created_at"), _field("created_at", "2026-02-30T10:00:00Z")
    yield Defect("time is a boolean", "$.created_at"), _field("created_at", True)
    yield Defect("time is an object", "$.created_at"), _field("created_at", {"ms": 1})
    yield Defect("time in seconds", "$.created_at"), _field("created_at", 1_773_485_243)
    yield Defect("time before all retention", "$.created_at"), _field("created_at", "1990-01-01T00:00:00Z")
    yield Defect("time far ahead", "$.created_at"), _field("created_at", "2262-01-01T00:00:00+00:00")
    yield Defect("time beyond all numbers", "$.created_at"), _field("created_at", 10**17)
    yield Defect("time is negative", "$.created_at"), _field("created_at", -1)
    yield Defect("time is NaN", "$"), _literal("created_at", b"NaN")
    yield Defect("time is infinite by overflow", "$"), _literal("created_at", b"1e999")


def prediction_defects() -> list[Kind]:
    """Return every kind of bad prediction."""
    slow = Defect("response time is text", "$.response_time_ms", 'expected a number >= 0, got "fast"')
    return [
        *_both(),
        (slow, _field("response_time_ms", "fast")),
        (Defect("negative response time", "$.response_time_ms"), _field("response_time_ms", -0.5)),
        (Defect("response time is a boolean", "$.response_time_ms"), _field("response_time_ms", True)),
        (Defect("response time is NaN", "$"), _literal("response_time_ms", b"NaN")),
        (Defect("response time is Infinity", "$"), _literal("response_time_ms", b"Infinity")),
        (Defect("response time overflows", "$"), _literal("response_time_ms", b"1e400")),
        (Defect("no version", "$", "model_version"), _without("model_version")),
        (Defect("null version", "$.model_version"), _field("model_version", None)),
        (Defect("empty version", "$.model_version"), _field("model_version", "")),
        (Defect("unknown status", "$.status"), _field("status", "failed")),
        (Defect("status is a number", "$.status"), _field("status", 1)),
        (Defect("ok without prediction", "$", "prediction"), _without("prediction")),
        (Defect("null prediction though ok", "$.prediction"), _field("prediction", None)),
        (Defect("prediction is a list", "$.prediction"), _field("prediction", [1])),
        (Defect("prediction is an object", "$.prediction"), _field("prediction", {"class": 1})),
        (Defect("prediction is -Infinity", "$"), _literal("prediction", b"-Infinity")),
        (Defect("prediction overflows", "$"), _literal("prediction", b"-1e400")),
        (Defect("score above 1", "$.score"), _field("score", 1.5)),
        (Defect("score below 0", "$.score"), _field("score", -0.1)),
        (Defect("score is text", "$.score"), _field("score", "high")),
        (Defect("a class's score above 1", "$.score"), _field("score", {"0": 0.1, "1": 1.2})),
        (Defect("features are a list", "$.features"), _field("features", [1, 2])),
        (Defect("a feature is an object", "$.features"), _field("features", {"age": {"years": 3}})),
        (Defect("a feature is a list", "$.features"), _field("features", {"age": [3]})),
        (Defect("a feature is NaN", "$"), _literal("features", b'{"age": NaN}')),
        (Defect("segments are a list", "$.segments"), _field("segments", ["eu"])),
        (Defect("a segment is a number", "$.segments"), _field("segments", {"region": 4})),
        (Defect("a segment is null", "$.segments"), _field("segments", {"region": None})),
        (Defect("variant is a number", "$.variant"), _field("variant", 1)),
        (Defect("unit is a number", "$.unit_id"), _field("unit_id", 7)),
        (Defect("schema version is text", "$.schema_version"), _field("schema_version", "one")),
        (Defect("invalid UTF-8 in a feature"), _literal("features", b'{"city": "K\xf6ln"}')),
    ]


def outcome_defects() -> list[Kind]:
    """Return every kind of bad outcome."""
    return [
        *_both(),
        (Defect("label is a list", "$.label"), _field("label", [1])),
        (Defect("label is an object", "$.label"), _field("label", {"class": 1})),
        (Defect("label is NaN", "$"), _literal("label", b"NaN")),
        (Defect("converted is text", "$.converted"), _field("converted", "yes")),
        (Defect("converted is a number", "$.converted"), _field("converted", 1)),
        (Defect("revenue is text", "$.revenue_generated"), _field("revenue_generated", "12.50")),
        (Defect("revenue is a boolean", "$.revenue_generated"), _field("revenue_generated", False)),
        (Defect("revenue is Infinity", "$"), _literal("revenue_generated", b"Infinity")),
        (Defect("schema version is a float", "$.schema_version"), _field("schema_version", 1.5)),
    ]


def _oversized(event: Event) -> bytes:
    return json.dumps({**event, "blob": "x" * 1_005_000}).encode()


def defective(rng: random.Random, now: int, count: int) -> Iterator[Draft]:
    """Yield at least one record of every kind of defect, and about `count` in all.

    Each is a sound event but for its one defect. Its id may be a sound event's too, so a defective
    one that counted would show.
    """
    kinds = [("predictions", kind) for kind in prediction_defects()] + [("outcomes", kind) for kind in outcome_defects()]
    kinds += [("predictions", (Defect("oversized"), _oversized)), ("outcomes", (Defect("oversized"), _oversized))]
    small = kinds[:-2]
    for index in range(max(count, len(kinds))):
        topic, (defect, broken) = kinds[index] if index < len(kinds) else rng.choice(small)
        event = _sound(rng, topic, now)
        yield Draft(topic, str(event["prediction_id"]).encode(), broken(event), now - rng.randrange(DAY), defect=defect)


def _sound(rng: random.Random, topic: str, now: int) -> Event:
    event: Event = {"prediction_id": f"p-{rng.randrange(1000):07d}", "model": "churn", "created_at": now - rng.randrange(1, DAY)}
    if topic == "predictions":
        return {**event, "model_version": "v1", "prediction": 1, "response_time_ms": 55_555.5}
    return {**event, "label": 1, "converted": True, "revenue_generated": 99_999.5}
