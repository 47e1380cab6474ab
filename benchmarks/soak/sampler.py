"""Everything that is looked at, every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.home import Home
from benchmarks.soak.disk import disk
from benchmarks.soak.gaps import Gaps
from benchmarks.soak.processes import footprint, load_a_core
from benchmarks.soak.told import LogFollower


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: the seconds since the start, the newest event time, and a value for each of QUANTITIES."""

    at_s: float
    event_time: str
    values: dict[str, float]


class Sampler:
    """Looks at a home, its pipeline and its load, which are processes by these ids."""

    def __init__(self, home: Home, pipeline: int, load: int, follower: LogFollower, gaps: Gaps) -> None:
        self._home = home
        self._pipeline = pipeline
        self._load = load
        self._follower = follower
        self._gaps = gaps
        self._started = time.monotonic()
        self.samples: list[Sample] = []

    def run(self, every_s: float, goes_on: Callable[[], bool], say: Callable[[Sample], None]) -> None:
        """Take a sample every `every_s` seconds while `goes_on`."""
        while goes_on():
            time.sleep(every_s)
            if goes_on():  # else a process that has ended since would be a sample
                self.samples.append(self.look())
                say(self.samples[-1])

    def look(self) -> Sample:
        """Take one sample."""
        self._follower.look()
        pipeline, load, sizes = footprint(self._pipeline), footprint(self._load), disk(self._home.folder)
        told = self._follower.last
        values: dict[str, float] = {
            "pipeline_rss": pipeline.rss,
            "pipeline_anonymous": pipeline.anonymous,
            "pipeline_files": pipeline.files,
            "pipeline_threads": pipeline.threads,
            "loadgen_rss": load.rss,
            "shards": sizes.shards,
            "publisher": sizes.publisher,
            "logs": sizes.logs,
            "duckdb": sizes.duckdb,
            "lake": sizes.lake,
            "lake_files": sizes.lake_files,
            "lag": self._follower.lag,
            "pending": told.pending,
            "expired": told.counts.get("expired predictions", 0),
            "gap": self._gaps.take(),
            "load": load_a_core(),
        }
        return Sample(time.monotonic() - self._started, told.event_time, values)
