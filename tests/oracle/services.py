"""The simulated services: what their models answer, and what turns out to be true."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
Scalar = str | int | float | bool
Event = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Service:
    """A model as its producers see it. `answer` draws (prediction, label) that belong together."""

    model: str
    versions: tuple[str, str]
    answer: Callable[[random.Random], tuple[Scalar, Scalar]]
    features: tuple[str, ...]
    business: bool = False
    share: float = 0.2


REGIONS = ("eu", "us", "asia pacific")
TIERS = ("free", 'pro "plus"=1')
VARIANTS = ("control", "control", "treatment", "treatment", "treatment b")
TOPICS = ("news", "sport", "1", "true", "naïve café")


def _churn(rng: random.Random) -> tuple[Scalar, Scalar]:
    label = int(rng.random() < 0.3)
    return (label if rng.random() < 0.8 else 1 - label), label


def _approval(rng: random.Random) -> tuple[Scalar, Scalar]:
    label = rng.random() < 0.6
    answer = label if rng.random() < 0.9 else not label
    return answer, (int(label) if rng.random() < 0.1 else label)


def _topic(rng: random.Random) -> tuple[Scalar, Scalar]:
    label: Scalar = rng.choice(TOPICS)
    if rng.random() < 0.002:
        label = rng.choice((1, 1.5, True))
    return (label if isinstance(label, str) and rng.random() < 0.7 else rng.choice(TOPICS)), label


def _grade(rng: random.Random) -> tuple[Scalar, Scalar]:
    label = min(int(rng.expovariate(0.9)), 4)
    return (label if rng.random() < 0.65 else rng.randrange(5)), label


def _price(rng: random.Random) -> tuple[Scalar, Scalar]:
    answer, label = round(rng.gauss(150, 40), 3), round(rng.gauss(150, 50), 3)
    kind = rng.random()
    if kind < 0.1:
        return int(answer), label
    if kind < 0.2:
        return answer, int(label)
    if kind < 0.22:
        return int(answer), int(label)
    if kind < 0.25:
        return answer, answer
    return answer, label


SERVICES = (
    Service("churn", ("v1", "v2"), _churn, ("age", "tenure", "plan", "größe"), business=True, share=0.3),
    Service("approval", ("2026.1", "2026.2-rc"), _approval, ("income", "age")),
    Service('topics "v"', ("a", "b"), _topic, ("length", "language", "source"), share=0.2),
    Service("grade", ("1", "2"), _grade, ("essay", "teacher"), share=0.1),
    Service("price", ("v1", "v2"), _price, ("rooms", "city", "garden"), business=True, share=0.2),
)
"""Binary integers, booleans, strings of several classes, integers of several classes, and numeric targets."""


def draw_features(rng: random.Random, service: Service) -> dict[str, Json]:
    """Draw inputs: names may be missing, values may be null."""
    chosen = service.features if rng.random() < 0.7 else tuple(name for name in service.features if rng.random() < 0.6)
    values: tuple[Json, ...] = (rng.randrange(90), round(rng.random(), 4), rng.choice(REGIONS), rng.random() < 0.5)
    return {name: (None if rng.random() < 0.04 else rng.choice(values)) for name in chosen}


def draw_prediction(rng: random.Random, service: Service, prediction_id: str, answer: Scalar) -> Event:
    """Draw a prediction event without its time; one in thirty failed, and then mostly has no answer."""
    failed = rng.random() < 0.033
    event: Event = {"prediction_id": prediction_id, "model": service.model, "model_version": service.versions[rng.random() < 0.25]}
    if not failed or rng.random() < 0.1:
        event["prediction"] = answer
    if failed:
        event["status"] = "error"
    elif rng.random() < 0.3:
        event["status"] = "ok"
    _add_latency(rng, event)
    if rng.random() < 0.9:
        event["features"] = draw_features(rng, service)
    if rng.random() < 0.9:
        event["segments"] = {
            name: value
            for name, value, share in (("region", rng.choice(REGIONS), 0.9), ("tier", rng.choice(TIERS), 0.5))
            if rng.random() < share
        }
    if service.business and rng.random() < 0.8:
        event["variant"] = rng.choice(VARIANTS)
    if rng.random() < 0.3:
        event["score"] = round(rng.random(), 6) if rng.random() < 0.7 else {"0": 0.25, "1": 0.75}
    if rng.random() < 0.2:
        event["unit_id"] = f"user-{rng.randrange(1000)}"
    if rng.random() < 0.1:
        event["schema_version"] = 1
    if rng.random() < 0.05:
        event["trace"] = {"host": "a-7", "spans": [1, 2, {"deep": None}]}
    return event


def _add_latency(rng: random.Random, event: Event) -> None:
    kind = rng.random()
    milliseconds = rng.lognormvariate(3.2, 0.7)
    if kind < 0.8:
        event["response_time_ms"] = round(milliseconds, 3)
    elif kind < 0.9:
        event["response_time_ms"] = int(milliseconds)
    elif kind < 0.92:
        event["response_time_ms"] = round(milliseconds * 200, 1)
    elif kind < 0.925:
        event["response_time_ms"] = 0
    elif kind < 0.93:
        event["response_time_ms"] = None
