"""A scenario's events, block by block of event time: all its model services together."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from loadgen.encoding import EventWriter
from loadgen.incidents import Episode
from loadgen.models import SERVICES, Trained, train_cached
from loadgen.models.service import Ints
from loadgen.scenario import Scenario
from loadgen.schedule import Event
from loadgen.serving import Served, serve, some_rows
from loadgen.traffic import arrival_times

GROUP = 128
"""Predictions are drawn in groups of so many, whole ones also where a block needs a part: else what is drawn would depend on the cut."""


class Generator:
    """Makes the events of `scenario`. `run` makes its prediction ids unique among runs; `past` is true for history."""

    def __init__(self, scenario: Scenario, trained: dict[str, Trained], run: str, *, past: bool) -> None:
        self._scenario = scenario
        self._trained = trained
        self._past = past
        self._made = [0] * len(scenario.models)
        numbers = itertools.count()
        self._writers = [EventWriter(SERVICES[traffic.name], traffic, scenario.disorder, run, numbers) for traffic in scenario.models]

    def events(
        self, rng: np.random.Generator, counts: Ints, start_ms: int, end_ms: int, episodes: Sequence[Episode], block: int
    ) -> Iterator[Event]:
        """Return the events of predictions made in [start_ms, end_ms), in no order: `counts` has their number for each model.

        `block` numbers the block within the run. Outcomes may be due long after the block.
        """
        for index, count in enumerate(counts.tolist()):
            if count:
                served = self.serve(rng, index, arrival_times(rng, count, start_ms, end_ms), episodes)
                yield from self._writers[index].write(rng, served, block)

    def numbered_events(self, seed: int, counts: Ints, start_ms: int, end_ms: int, episodes: Sequence[Episode]) -> Iterator[Event]:
        """Return the events of the next predictions, made in [start_ms, end_ms): `counts` has their number for each model.

        The number of a prediction within its model says what it is, so that a seed draws the same ones at any time and rate.
        """
        for index, count in enumerate(counts.tolist()):
            first = self._made[index]
            self._made[index] += count
            times = arrival_times(np.random.default_rng([seed, 3, index, first]), count, start_ms, end_ms)
            done = 0
            while done < count:
                group, start = divmod(first + done, GROUP)
                size = min(GROUP - start, count - done)
                at = np.full(GROUP, start_ms)
                at[start : start + size] = times[done : done + size]
                served = self.serve(np.random.default_rng([seed, 4, index, group]), index, at, episodes)
                disorder = np.random.default_rng([seed, 5, index, first + done])
                yield from self._writers[index].write(disorder, some_rows(served, slice(start, start + size)), group, start)
                done += size

    def serve(self, rng: np.random.Generator, index: int, times: Ints, episodes: Sequence[Episode]) -> Served:
        """Return what the scenario's model number `index` answers at `times`."""
        traffic = self._scenario.models[index]
        return serve(rng, SERVICES[traffic.name], self._trained[traffic.name], traffic, times, episodes, past=self._past)

    def writer(self, index: int) -> EventWriter:
        """Return the writer of the scenario's model number `index`."""
        return self._writers[index]


def train_models(scenario: Scenario, cache: Path, training: Callable[[str], None]) -> dict[str, Trained]:
    """Return the trained models of all services of `scenario`; `training` is called with the name of each that is not in `cache`."""
    return {traffic.name: train_cached(SERVICES[traffic.name], cache, training) for traffic in scenario.models}
