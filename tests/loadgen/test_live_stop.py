from __future__ import annotations

import io
import threading
import time
from typing import cast

import msgspec

from loadgen.announcing import Announcer
from loadgen.duration import Milliseconds
from loadgen.generator import Generator
from loadgen.live import LiveRun
from loadgen.models import Trained
from loadgen.pace import event_clock
from loadgen.progress import Progress
from loadgen.scenario import Delay, Disorder, Scenario
from loadgen.sending import Counts, Sender
from schemas.events import EventTime, Prediction
from schemas.topics import OUTCOMES, PREDICTIONS


class _StoppingKafka:
    """Notes what it is given, and has the run stopped after so many events."""

    def __init__(self, stop: threading.Event, until: int) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []
        self._stop, self._until = stop, until

    @property
    def counts(self) -> Counts:
        return Counts(len(self.sent), len(self.sent), 0)

    def send(self, topic: str, key: bytes, value: bytes) -> bool:
        self.sent.append((topic, key, value))
        if len(self.sent) == self._until:
            self._stop.set()
        return True

    def poll(self) -> None:
        """Do nothing."""


def _ms(moment: EventTime) -> float:
    return moment if isinstance(moment, (int, float)) else moment.timestamp() * 1000


def test_a_stop_leaves_no_outcome_without_its_prediction_and_makes_none_ahead_of_time(demo: Scenario, trained: dict[str, Trained]) -> None:
    """Half of the predictions are held back by the network while their outcomes are known at once."""
    at_once = Delay(Milliseconds(0), Milliseconds(10))
    models = tuple(msgspec.structs.replace(model, label=at_once, experiment=None) for model in demo.models)
    held_back = Disorder(late=0.5, late_by=Milliseconds(3_000))
    scenario = msgspec.structs.replace(demo, models=models, disorder=held_back)
    stop = threading.Event()
    kafka = _StoppingKafka(stop, 900)
    start_ms = time.time_ns() // 1_000_000
    generator = Generator(scenario, trained, "run", past=False)
    run = LiveRun(scenario, generator, cast("Sender", kafka), Announcer("demo", []), event_clock(start_ms, 1, None), 1, 600.0)
    run.run(None, stop, Progress(io.StringIO(), time.monotonic))
    predicted = {key for topic, key, _ in kafka.sent if topic == PREDICTIONS}
    assert {key for topic, key, _ in kafka.sent if topic == OUTCOMES} <= predicted
    made = [msgspec.json.decode(value, type=Prediction).created_at for topic, _, value in kafka.sent if topic == PREDICTIONS]
    assert max(map(_ms, made)) <= time.time() * 1000
