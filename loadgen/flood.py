"""Events from templates, at an asked rate or as fast as possible: half predictions, half outcomes."""

from __future__ import annotations

import math
import threading

from confluent_kafka import KafkaException

from loadgen.pace import MAX_BEHIND_S, EventClock, Stopwatch, Tokens
from loadgen.progress import Progress
from loadgen.sending import Sender
from loadgen.templates import Templates, head
from schemas.topics import OUTCOMES, PREDICTIONS

_SLICE_S = 0.005
_MOST_AT_ONCE = 2_000
OUTCOME_LAG = 1_000
"""An outcome follows its prediction after so many further predictions."""


class FloodRun:
    """Sends copies of `templates`; `run` makes the prediction ids unique among runs. `rate` may be infinite."""

    def __init__(self, templates: Templates, sender: Sender, clock: EventClock, run: str, rate: float) -> None:
        self._templates = templates
        self._sender = sender
        self._clock = clock
        self._prefix = f"flood-{run}-".encode()
        self._tokens = Tokens(rate)
        self._next_prediction = 0
        self._next_outcome = 0

    def run(self, duration_s: float | None, stop: threading.Event, progress: Progress) -> None:
        """Send until `stop` is set or `duration_s` have gone by."""
        watch = Stopwatch()
        while not stop.is_set():
            elapsed_s = watch.elapsed()
            ended = duration_s is not None and elapsed_s >= duration_s
            due = self._due(min(elapsed_s, duration_s) if duration_s is not None else elapsed_s)
            if ended and (due <= 0 or math.isinf(self._tokens.rate)):
                break
            self._send(min(due, _MOST_AT_ONCE), self._clock.at(elapsed_s), stop)
            self._sender.poll()
            progress.tick(self._sender.counts)
            if due < _MOST_AT_ONCE:
                stop.wait(_SLICE_S)

    def _due(self, elapsed_s: float) -> int:
        if math.isinf(self._tokens.rate):
            return _MOST_AT_ONCE
        due = self._tokens.available(elapsed_s)
        if due > self._tokens.rate * MAX_BEHIND_S:
            self._tokens.forgive(elapsed_s)
            return _MOST_AT_ONCE
        return due

    def _send(self, count: int, at_ms: int, stop: threading.Event) -> None:
        outcomes = min(count // 2, max(self._next_prediction - OUTCOME_LAG - self._next_outcome, 0))
        beginning = head(at_ms)
        sent = self._copies(PREDICTIONS, beginning, self._templates.predictions, self._next_prediction, count - outcomes, stop)
        self._next_prediction += sent
        self._tokens.spent += sent
        sent = self._copies(OUTCOMES, beginning, self._templates.outcomes, self._next_outcome, outcomes, stop)
        self._next_outcome += sent
        self._tokens.spent += sent

    def _copies(self, topic: str, beginning: bytes, tails: list[bytes], first: int, count: int, stop: threading.Event) -> int:
        """Queue `count` events numbered from `first`, and return how many: fewer only after `stop`."""
        produce, prefix, kinds = self._sender.producer.produce, self._prefix, len(tails)
        number, last = first, first + count
        while number < last:
            try:
                # The hot loop: some 2 us an event, most of it in the client.
                while number < last:
                    key = prefix + b"%d" % number
                    produce(topic, beginning + key + tails[number % kinds], key)
                    number += 1
            except BufferError:
                if stop.is_set():
                    break
                self._sender.poll(0.005)
            except KafkaException as error:
                raise self._sender.refused(error) from error
        self._sender.queued(number - first)
        return number - first
