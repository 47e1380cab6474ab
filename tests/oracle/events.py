"""A seeded generator of events with everything that the contract lets producers do, and much that it does not.

All times lie at or before `now`, and the newest event is a prediction at exactly `now`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from tests.oracle.bad_input import defective
from tests.oracle.records import Draft
from tests.oracle.services import SERVICES, TOPICS, Event, Json, Scalar, Service, draw_prediction

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
PREDICTIONS, OUTCOMES = "predictions", "outcomes"
NOW = 1_773_485_243_456
"""2026-03-14T10:47:23.456Z: in no window's last or first second, so that the newest windows are open."""


def generate(events: int, seed: int, now: int = NOW, days: int = 9, bad_share: float = 0.01) -> list[Draft]:
    """Return about `events` drafts (never fewer) of so many days, of which `bad_share` are defective."""
    rng = random.Random(seed)
    drafts: list[Draft] = []
    number = 0
    while len(drafts) < events * (1 - bad_share):
        created = now if number == 0 else _moment(rng, now, days)
        drafts.extend(_story(rng, number, created, now))
        number += 1
    drafts.extend(_rarely(rng, now))
    drafts.extend(defective(rng, now, max(0, events - len(drafts))))
    return drafts


def _moment(rng: random.Random, now: int, days: int) -> int:
    """Draw when a prediction is served: mostly within the last hour, else over all the days, with boundaries hit exactly."""
    kind = rng.random()
    if kind < 0.72:
        created = now - rng.randrange(HOUR)
    elif kind < 0.78:
        created = now - rng.randrange(6 * HOUR)
    elif kind < 0.785:
        created = now - 6 * HOUR + rng.randrange(-15 * SECOND, 15 * SECOND)
    elif kind < 0.79:
        created = now - 2 * DAY + rng.randrange(-90 * SECOND, 90 * SECOND)
    else:
        created = now - rng.randrange(days * DAY)
    if rng.random() < 0.02:
        step = rng.choice((10 * SECOND, MINUTE, HOUR, DAY))
        created -= created % step
        created -= rng.random() < 0.3
    return created


def _story(rng: random.Random, number: int, created: int, now: int) -> Iterator[Draft]:
    """Draft one prediction with all its deliveries and outcomes."""
    service = rng.choices(SERVICES, [service.share for service in SERVICES])[0]
    prediction_id = f"p-{number:07d}"
    answer, label = service.answer(rng)
    event = draw_prediction(rng, service, prediction_id, answer)
    yield from _deliveries(rng, event, created, now)
    if rng.random() < 0.75:
        yield from _outcomes(rng, service, prediction_id, created, label, now)


def _arrival(rng: random.Random, created: int, now: int) -> int:
    """Draw when an event reaches the log: at once, or late by minutes, hours or days."""
    longest = rng.choices((2 * SECOND, 10 * MINUTE, 5 * HOUR, 4 * DAY), (0.9, 0.06, 0.03, 0.01))[0]
    return min(now, created + rng.randrange(longest))


def _deliveries(rng: random.Random, event: Event, created: int, now: int) -> Iterator[Draft]:
    value = encode(rng, event, created)
    arrival = _arrival(rng, created, now)
    repeats = rng.choices((0, 1, 2), (0.94, 0.045, 0.015))[0]
    differs = rng.random() < 0.01
    pin = str(event["prediction_id"]) if differs else ""
    key = str(event["prediction_id"]).encode()
    yield Draft(PREDICTIONS, key, value, arrival, pin)
    for _ in range(repeats):
        yield Draft(PREDICTIONS, key, value, arrival + 1 + _later(rng), pin)
    if differs:
        moved = min(now - 1, created + rng.choice((0, 1, 30 * SECOND, 2 * HOUR)))
        changed: Event = {
            **event,
            "model_version": "v9",
            "response_time_ms": 77_777,
            "prediction": "differs",
            "segments": {"region": "elsewhere"},
        }
        yield Draft(PREDICTIONS, key, encode(rng, changed, moved), arrival + 1 + _later(rng), pin)


def _later(rng: random.Random) -> int:
    return int(rng.expovariate(1 / rng.choice((500, 60_000, 20_000_000))))


def _outcomes(rng: random.Random, service: Service, prediction_id: str, created: int, label: Scalar, now: int) -> Iterator[Draft]:
    """Draft what becomes known of one prediction: early, late, in parts, corrected, stale, repeated, tied."""
    base: Event = {"prediction_id": prediction_id, "model": service.model}
    known = _delayed(rng, created, now)
    told = _truth(rng, service, label)
    parts = [told] if rng.random() < 0.6 else [{name: value} for name, value in told.items()]
    events = [(_delayed(rng, created, now) if index else known, {**base, **part}) for index, part in enumerate(parts)]
    if rng.random() < 0.12:
        events.append(
            (min(now - 1, known + rng.choice((1, 5 * SECOND, 3 * HOUR))), {**base, **_truth(rng, service, service.answer(rng)[1])})
        )
    if rng.random() < 0.06:
        events.append((known - rng.choice((1, 5 * SECOND, 3 * HOUR)), {**base, **_truth(rng, service, service.answer(rng)[1])}))
    if rng.random() < 0.04:
        events.append((known, {**base, **_truth(rng, service, service.answer(rng)[1])}))
    times = [moment for moment, _ in events]
    pin = prediction_id if len(set(times)) < len(times) else ""
    arrivals = [_arrival(rng, moment, now) for moment in times]
    if rng.random() < 0.1:
        rng.shuffle(arrivals)
    for (moment, event), arrival in zip(events, arrivals, strict=True):
        value = encode(rng, event, moment)
        for _ in range(1 + (rng.random() < 0.05) + (rng.random() < 0.01)):
            yield Draft(OUTCOMES, prediction_id.encode(), value, arrival, pin)
            arrival += 1 + _later(rng)


def _delayed(rng: random.Random, created: int, now: int) -> int:
    """Draw an outcome's own time: sometimes before its prediction, mostly soon, sometimes days after."""
    delay = rng.choices(
        (-rng.randrange(1, 2 * HOUR), rng.randrange(20 * SECOND), rng.randrange(30 * MINUTE), rng.randrange(6 * DAY)),
        (0.1, 0.5, 0.25, 0.15),
    )[0]
    return min(now - 1, created + delay)


def _truth(rng: random.Random, service: Service, label: Scalar) -> Event:
    told: Event = {"label": label}
    if service.business:
        if rng.random() < 0.8:
            told["converted"] = rng.random() < 0.2
        if rng.random() < 0.3:
            told["revenue_generated"] = rng.choice((round(rng.expovariate(1 / 40), 2), rng.randrange(100), -5))
    if rng.random() < 0.03:
        told["label"] = None
    return told


def _rarely(rng: random.Random, now: int) -> Iterator[Draft]:
    """Draft what is rare: outcomes of nothing or weeks away from their predictions, shared ids, long names, very old events."""
    for number in range(40):
        ghost: Event = {"prediction_id": f"ghost-{number}", "model": "churn", "label": 1, "converted": True}
        yield Draft(OUTCOMES, None, encode(rng, ghost, now - rng.randrange(1, DAY)), now - rng.randrange(DAY))
        stray: Event = {"prediction_id": f"p-{number:07d}", "model": "nobody", "label": 1}
        yield Draft(OUTCOMES, b"another key", encode(rng, stray, now - rng.randrange(1, DAY)), now - rng.randrange(DAY))
        empty: Event = {"prediction_id": f"p-{number:07d}", "model": "churn"}
        yield Draft(OUTCOMES, None, encode(rng, empty, now - rng.randrange(1, DAY)), now - rng.randrange(DAY))
    for number in range(30):
        created = now - rng.randrange(1, 3 * HOUR)
        for service, label in ((SERVICES[0], 1), (SERVICES[2], TOPICS[0])):
            shared = draw_prediction(rng, service, f"shared-{number}", service.answer(rng)[0])
            yield Draft(PREDICTIONS, None, encode(rng, shared, created), created)
            truth: Event = {"prediction_id": f"shared-{number}", "model": service.model, "label": label}
            yield Draft(OUTCOMES, None, encode(rng, truth, created + 1), created)
    for letter in ("n" * 128, "é" * 128, "日" * 128):
        long = draw_prediction(rng, SERVICES[3], letter, 3)
        yield Draft(PREDICTIONS, letter.encode(), encode(rng, long, now - 90 * MINUTE), now - 80 * MINUTE)
    for number in range(10):
        late, early = f"late-{number}", f"early-{number}"
        for prediction_id, created, told in (
            (late, now - 29 * DAY + number, now - 1 - number),
            (early, now - 1 - number, now - 20 * DAY - number),
        ):
            event = draw_prediction(rng, SERVICES[0], prediction_id, number % 2)
            known: Event = {"prediction_id": prediction_id, "model": "churn", "label": 1, "converted": True}
            yield Draft(PREDICTIONS, None, encode(rng, event, created), created)
            yield Draft(OUTCOMES, None, encode(rng, known, told), told)
    for age in (100 * DAY, 300 * DAY, 500 * DAY, 3 * 365 * DAY):
        old = draw_prediction(rng, SERVICES[1], f"old-{age}", True)
        yield Draft(PREDICTIONS, None, encode(rng, old, now - age), now - rng.randrange(DAY))


def encode(rng: random.Random, event: Event, created: int) -> bytes:
    """Write an event as one of the many JSON texts for it, with `created_at` in any form that the contract allows."""
    whole: Event = {**event, "created_at": write_time(rng, created)}
    if rng.random() < 0.2:
        names = list(whole)
        rng.shuffle(names)
        whole = {name: whole[name] for name in names}
    compact = rng.random() < 0.7
    return json.dumps(whole, ensure_ascii=rng.random() < 0.5, separators=(",", ":") if compact else (", ", ": ")).encode()


def write_time(rng: random.Random, created: int) -> Json:
    """Write a moment (epoch ms) as an integer, a float, or RFC 3339 text with an offset."""
    kind = rng.random()
    if kind < 0.5:
        return created
    if kind < 0.6:
        return created + rng.choice((0.0, 0.25))
    offset = rng.choice((0, 0, 0, 330, -480, 60))
    moment = datetime.fromtimestamp(created // 1000, UTC).astimezone(timezone(timedelta(minutes=offset)))
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if created % 1000 or rng.random() < 0.5:
        text += f".{created % 1000:03d}" + rng.choice(("", "", "250"))
    if offset == 0 and rng.random() < 0.8:
        return text + "Z"
    return f"{text}{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
