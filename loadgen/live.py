"""A scenario played live: generated a block ahead, sent when due."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np

from loadgen.announcing import Announcer
from loadgen.generator import Generator
from loadgen.incidents import Episode, episodes_between
from loadgen.models.service import Ints
from loadgen.pace import MAX_BEHIND_S, EventClock, Stopwatch, Tokens
from loadgen.progress import Progress
from loadgen.scenario import Scenario
from loadgen.schedule import Event, Schedule
from loadgen.sending import Sender
from loadgen.traffic import events_per_prediction, shape_of_models
from schemas.topics import PREDICTIONS

NEVER_MS = 1 << 62
SLICE_S = 0.01
"""How often due events are sent."""
_BLOCK_S = 1.0
_SHORT_BLOCK_S = 0.25
_SHORT_BLOCKS_FROM = 2_000.0


class LiveRun:
    """Plays `scenario` from now on.

    With `asked_rate` all events together are sent at exactly that rate. Without it the scenario's own rate is the mean
    of a day, and traffic follows the time of the day.
    """

    def __init__(
        self,
        scenario: Scenario,
        generator: Generator,
        sender: Sender,
        announcer: Announcer,
        clock: EventClock,
        seed: int,
        asked_rate: float | None,
    ) -> None:
        self._scenario = scenario
        self._generator = generator
        self._sender = sender
        self._announcer = announcer
        self._clock = clock
        self._seed = seed
        self._rng = np.random.default_rng([seed, 1])
        self._asked_rate = asked_rate
        self._tokens = Tokens(asked_rate or scenario.rate)
        self._schedule = Schedule()
        self._last_ms = NEVER_MS
        self._block_s = _BLOCK_S if self._tokens.rate < _SHORT_BLOCKS_FROM else _SHORT_BLOCK_S

    @property
    def evicted(self) -> int:
        """How many outcomes were due too late to be kept until then."""
        return self._schedule.evicted

    def run(self, duration_s: float | None, stop: threading.Event, progress: Progress) -> None:
        """Send until `stop` is set or `duration_s` have gone by."""
        watch = Stopwatch()
        start_s = 0.0
        if duration_s is not None:
            self._last_ms = self._clock.at(duration_s) - 1
        while not stop.is_set() and (duration_s is None or start_s < duration_s):
            self._await(watch, start_s, stop)
            end_s = start_s + self._block_s if duration_s is None else min(start_s + self._block_s, duration_s)
            self._send_block(self._make_block(start_s, end_s), watch, stop)
            progress.tick(self._sender.counts, self._schedule.note())
            behind_s = watch.elapsed() - end_s
            if behind_s > MAX_BEHIND_S:
                end_s += behind_s
                self._tokens.forgive(end_s)
            start_s = end_s
        self._send_late_predictions(self._clock.at(watch.elapsed()))
        self._announcer.finish(self._clock.at(watch.elapsed()))

    def _send_late_predictions(self, now_ms: int) -> None:
        """Send the predictions that are still held back: their outcomes may already have been sent.

        Those that are yet to be made are not among them: a stop may have cut the block short.
        """
        for event in self._schedule.pop_before(NEVER_MS):
            if event.topic != PREDICTIONS or event.made_ms > now_ms:
                continue
            if not self._sender.send(event.topic, event.key, event.value):
                return

    def _await(self, watch: Stopwatch, until_s: float, stop: threading.Event) -> None:
        """Take in delivery reports until so many seconds have gone by since the start."""
        while not stop.is_set() and (left := until_s - watch.elapsed()) > 0:
            self._sender.poll()
            stop.wait(min(left, 0.1))

    def _make_block(self, start_s: float, end_s: float) -> list[Event]:
        """Return the events that are due in [start_s, end_s) since the start, in order; keep what is due later."""
        start_ms, end_ms = self._clock.at(start_s), self._clock.at(end_s)
        ready = self._schedule.pop_before(end_ms)
        if end_ms <= start_ms:
            return ready
        episodes = self._episodes(start_ms, end_ms)
        counts = self._counts(start_ms, end_s, len(ready))
        for event in self._generator.numbered_events(self._seed, counts, start_ms, end_ms, episodes):
            if event.topic == PREDICTIONS and event.due_ms > self._last_ms:
                event = replace(event, due_ms=self._last_ms)
            if event.due_ms < end_ms:
                ready.append(event)
            else:
                self._schedule.add(event)
        ready.sort()
        self._tokens.spent += len(ready)
        self._announcer.advance(episodes, end_ms)
        return ready

    def _episodes(self, start_ms: int, end_ms: int) -> list[Episode]:
        return episodes_between(self._scenario.incidents, self._scenario.cycle, self._clock.origin_ms, start_ms, end_ms)

    def _counts(self, at_ms: int, end_s: float, ready: int) -> Ints:
        """Return how many predictions each model makes in the block."""
        shape = shape_of_models(self._scenario, at_ms)
        if self._asked_rate is None:
            mean = self._scenario.rate * self._block_s / events_per_prediction(self._scenario)
            return self._rng.poisson(mean * shape)
        wanted = max(self._tokens.available(end_s) - ready, 0)
        return self._rng.multinomial(wanted, shape / shape.sum())

    def _send_block(self, events: list[Event], watch: Stopwatch, stop: threading.Event) -> None:
        position = 0
        while position < len(events) and not stop.is_set():
            now_ms = self._clock.at(watch.elapsed())
            while position < len(events) and events[position].due_ms <= now_ms:
                event = events[position]
                if not self._sender.send(event.topic, event.key, event.value):
                    break
                position += 1
            self._sender.poll()
            stop.wait(SLICE_S)
        for event in events[position:]:
            self._schedule.add(event)
