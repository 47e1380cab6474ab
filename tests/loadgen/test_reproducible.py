"""A seed draws the same predictions and labels, however time is cut and whatever the time of the day is."""

from __future__ import annotations

import msgspec
import numpy as np

from loadgen.duration import Milliseconds
from loadgen.generator import Generator
from loadgen.incidents import AnyIncident, Episode, NullBurst
from loadgen.models import Trained
from loadgen.scenario import Scenario
from schemas.events import Outcome, Prediction
from schemas.topics import PREDICTIONS

NOON_MS = 1_764_000_000_000
Drawn = dict[str, tuple[object, ...]]


def _drawn(demo: Scenario, trained: dict[str, Trained], start_ms: int, cuts: list[list[int]], incident: AnyIncident | None = None) -> Drawn:
    """Return the inputs, answer and label of each prediction by its id; `cuts` has the counts of each model for each block."""
    generator = Generator(demo, trained, "run", past=False)
    found: Drawn = {}
    for block, counts in enumerate(cuts):
        begin = start_ms + block * 1_000
        episodes = [Episode(incident, begin, begin + 1_000)] if incident is not None else []
        for event in generator.numbered_events(1, np.array(counts), begin, begin + 1_000, episodes):
            if event.topic == PREDICTIONS:
                one = msgspec.json.decode(event.value, type=Prediction)
                answered = (one.features, one.prediction, one.score, one.segments, one.model_version, one.response_time_ms)
                found[one.prediction_id] = (*answered, *found.get(one.prediction_id, ())[6:])
            else:
                known = msgspec.json.decode(event.value, type=Outcome)
                if known.label is not None:
                    found[known.prediction_id] = (*found[known.prediction_id][:6], known.label)
    return found


def test_the_same_numbers_are_the_same_predictions_at_any_time_and_rate(demo: Scenario, trained: dict[str, Trained]) -> None:
    one = _drawn(demo, trained, NOON_MS, [[300, 200, 100]])
    other = _drawn(demo, trained, NOON_MS + 3 * 3_600_000, [[10, 0, 99], [130, 70, 1], [160, 130, 0]])
    assert len(one) == 600
    assert one == other


def test_an_incident_changes_what_it_hits_alone(demo: Scenario, trained: dict[str, Trained]) -> None:
    burst = NullBurst(model="churn", feature="data_usage_gb", share=1.0, at=Milliseconds(0), lasts=Milliseconds(1_000))
    usual, hit = (_drawn(demo, trained, NOON_MS, [[100, 0, 0]], incident) for incident in (None, burst))
    for key, (features, *_) in usual.items():
        assert isinstance(features, dict)
        assert hit[key][0] == {**features, "data_usage_gb": None}
        assert hit[key][5:] == usual[key][5:]
