"""Events that are copies of real ones: everything but the id and the time is encoded beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from loadgen.encoding import class_values
from loadgen.generator import Generator
from loadgen.models import SERVICES
from loadgen.scenario import Scenario
from schemas.events import Outcome, Prediction

COUNT = 1024


@dataclass(frozen=True, slots=True)
class Templates:
    """What follows the time and the id in an event, as bytes: `{"created_at":<time>,"prediction_id":"<id>` and then one of these.

    The outcome at an index belongs to the prediction at that index.
    """

    predictions: list[bytes]
    outcomes: list[bytes]


def head(at_ms: int) -> bytes:
    """Return how an event of time `at_ms` begins; its id and the rest of a template follow."""
    return b'{"created_at":%d,"prediction_id":"' % at_ms


def make_templates(rng: np.random.Generator, scenario: Scenario, generator: Generator, at_ms: int) -> Templates:
    """Return about `COUNT` predictions of the scenario's models, in their proportions, each with its label."""
    total = sum(model.share for model in scenario.models)
    pairs: list[tuple[bytes, bytes]] = []
    for index, traffic in enumerate(scenario.models):
        n = max(round(COUNT * traffic.share / total), 1)
        served = generator.serve(rng, index, np.full(n, at_ms), [])
        labels = class_values(SERVICES[traffic.name], served.truth)
        predictions = generator.writer(index).events(served, ["x"] * n)
        for prediction, label in zip(predictions, labels, strict=True):
            pairs.append((_rest(prediction), _rest(Outcome("x", traffic.name, at_ms, label=label))))
    order = rng.permutation(len(pairs)).tolist()
    return Templates([pairs[place][0] for place in order], [pairs[place][1] for place in order])


def _rest(event: Prediction | Outcome) -> bytes:
    """Return an event without its opening brace, id and time."""
    fields = {name: value for name, value in msgspec.to_builtins(event).items() if name not in ("prediction_id", "created_at")}
    return b'",' + msgspec.json.encode(fields)[1:]
