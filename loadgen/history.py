"""Some days of a scenario that ended just now, sent as fast as Kafka takes them: so that long charts have a past.

Everything is drawn from the seed and the hour it belongs to, and ids are made of these. So a history that is sent again,
by the same code on the same day, repeats the same events, and they count once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from loadgen.announcing import Announcer, to_json_lines
from loadgen.app import INCIDENT_LOG, finish, tell_evicted, training_note
from loadgen.generator import Generator, train_models
from loadgen.incidents import past_episodes
from loadgen.models import Trained
from loadgen.scenario import Scenario
from loadgen.scenario_files import load_scenario
from loadgen.schedule import Event, Schedule
from loadgen.sending import Sender
from loadgen.stopping import stop_on_signals
from loadgen.topics import await_topics
from loadgen.traffic import DAY_MS, shape_of_models
from schemas.kafka import KafkaSettings
from schemas.topics import PREDICTIONS

HOUR_MS = 3_600_000
_PROGRESS_S = 2.0


@dataclass(frozen=True, slots=True)
class HistoryBlock:
    """The events that are due in one hour, up to `end_ms`, in order of time."""

    end_ms: int
    events: list[Event]

    @property
    def predictions(self) -> int:
        """How many of the events are predictions, a few of them delivered twice."""
        return sum(event.topic == PREDICTIONS for event in self.events)


def history_blocks(
    scenario: Scenario, trained: dict[str, Trained], days: float, now_ms: int, seed: int, schedule: Schedule
) -> Iterator[HistoryBlock]:
    """Return the events of the `days` before `now_ms`, hour by hour; `schedule` keeps what is due later than its hour.

    What is due later than `now_ms` is left out.
    """
    generator = Generator(scenario, trained, f"past{seed:x}", past=True)
    episodes = past_episodes(scenario.history.incidents, now_ms // DAY_MS * DAY_MS)
    hour = (now_ms - round(days * DAY_MS)) // HOUR_MS
    while hour * HOUR_MS < now_ms:
        start_ms, end_ms = hour * HOUR_MS, (hour + 1) * HOUR_MS
        rng = np.random.default_rng([seed, 2, hour])
        counts = rng.poisson(scenario.history.predictions_per_day / 24 * shape_of_models(scenario, start_ms + HOUR_MS // 2))
        for event in generator.events(rng, counts, start_ms, end_ms, episodes, hour):
            schedule.add(event)
        yield HistoryBlock(min(end_ms, now_ms), schedule.pop_before(min(end_ms, now_ms)))
        hour += 1


def replay_history(
    *,
    kafka: KafkaSettings,
    scenario: str,
    days: float,
    now_ms: int,
    seed: int,
    cache: Path,
    out: TextIO,
    stop: threading.Event | None = None,
) -> bool:
    """Send the history of `scenario`: `days` that end at `now_ms`, with the incidents of its past.

    Returns whether all of it was sent: false when SIGTERM, Ctrl-C or `stop` ended it before.
    Raises ConfigurationError for an unknown scenario, BrokerUnavailable when Kafka refuses or does not acknowledge all.
    """
    plan = load_scenario(scenario)
    with stop_on_signals() as signalled:
        flag = stop or signalled
        trained = train_models(plan, cache, training_note(out))
        if not await_topics(kafka, out, flag):
            print("history: stopped before anything was sent", file=out, flush=True)
            return False
        _log_incidents(plan, days, now_ms, cache)
        sender = Sender(kafka, out, flag, linger_ms=20)
        schedule = Schedule()
        done = _send_blocks(sender, history_blocks(plan, trained, days, now_ms, seed, schedule), days, now_ms, flag, out)
        tell_evicted(schedule.evicted, out)
        finish(sender, out)
        return done


def _send_blocks(sender: Sender, blocks: Iterator[HistoryBlock], days: float, now_ms: int, stop: threading.Event, out: TextIO) -> bool:
    """Send the blocks, and return whether that was done: not when stopped."""
    said, predictions = time.monotonic(), 0
    for block in blocks:
        predictions += block.predictions
        for event in block.events:
            if not sender.send(event.topic, event.key, event.value):
                break
        sender.poll()
        if stop.is_set():
            done = days - (now_ms - block.end_ms) / DAY_MS
            print(f"history: stopped after about {done:.1f} of {days:g} days", file=out, flush=True)
            return False
        if time.monotonic() - said >= _PROGRESS_S:
            said = time.monotonic()
            done = days - (now_ms - block.end_ms) / DAY_MS
            print(f"history: {done:.1f} of {days:g} days, {predictions:,} predictions", file=out, flush=True)
    print(f"history: {days:g} days, {predictions:,} predictions and their outcomes", file=out, flush=True)
    return True


def _log_incidents(plan: Scenario, days: float, now_ms: int, cache: Path) -> None:
    """Write the incidents of the past into the log: annotations are for them too."""
    start_ms = now_ms - round(days * DAY_MS)
    past = [episode for episode in past_episodes(plan.history.incidents, now_ms // DAY_MS * DAY_MS) if episode.start_ms >= start_ms]
    announcer = Announcer(plan.name, [to_json_lines(cache / INCIDENT_LOG, again=True)])
    for moment in sorted({end + 1 for episode in past for end in (episode.start_ms, episode.end_ms)}):
        announcer.advance(past, min(moment, now_ms))
    announcer.finish(now_ms)
