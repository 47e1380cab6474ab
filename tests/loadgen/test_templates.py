from __future__ import annotations

import msgspec
import numpy as np
import pytest

from loadgen.generator import Generator
from loadgen.models import Trained
from loadgen.scenario import Scenario
from loadgen.templates import COUNT, Templates, head, make_templates
from schemas.events import Outcome, Prediction

NOW = 1_700_000_000_000


@pytest.fixture(scope="module")
def templates(demo: Scenario, trained: dict[str, Trained]) -> Templates:
    return make_templates(np.random.default_rng(1), demo, Generator(demo, trained, "run", past=False), NOW)


def test_templates_with_an_id_and_a_time_are_events_of_the_contract(templates: Templates) -> None:
    assert len(templates.predictions) == pytest.approx(COUNT, abs=3)
    for prediction, outcome in zip(templates.predictions, templates.outcomes, strict=True):
        made = msgspec.json.decode(head(NOW) + b"flood-1" + prediction, type=Prediction)
        known = msgspec.json.decode(head(NOW) + b"flood-1" + outcome, type=Outcome)
        assert (made.prediction_id, made.created_at, made.model) == ("flood-1", NOW, known.model)
        assert known.label is not None


def test_templates_hold_all_models_in_their_proportion(templates: Templates, demo: Scenario) -> None:
    models = [msgspec.json.decode(head(NOW) + b"x" + tail, type=Prediction).model for tail in templates.predictions]
    for traffic in demo.models:
        assert models.count(traffic.name) / len(models) == pytest.approx(traffic.share, abs=0.01)
