"""All that waits expires at once, while events come: how fast, and how long nothing is published meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass
from subprocess import Popen

from benchmarks.home import Home, stop
from benchmarks.soak.gaps import Gaps
from benchmarks.soak.processes import footprint, load_a_core
from benchmarks.soak.told import LogFollower
from schemas.errors import TowerError

_LOOK_S = 0.2
_SETTLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Expiry:
    """`expired` predictions of `wanted` in `seconds`, while `rate` events/s came.

    Also the longest time without a message, the most events that waited to be read, the largest memory, and the machine's load a core.
    """

    expired: int
    wanted: int
    seconds: float
    rate: float
    longest_gap_s: float
    largest_lag: int
    rss: int
    anonymous: int
    load: float


def expire_all(home: Home, rate: float, wanted: int, longest_s: float) -> Expiry:
    """Run the pipeline with a load of `rate` events/s of this very hour until `wanted` predictions have expired.

    What Kafka holds now has been taken. Seconds are counted from the first message on the results topic. It is given up after
    `longest_s`. Raises TowerError when something ends before.
    """
    taken, log = home.events_held(), home.folder / "expiring.txt"
    gaps = Gaps(home.kafka)
    pipeline = home.start("pipeline", log=log)
    follower = LogFollower(log, lambda: home.events_held() - taken)
    try:
        load = home.start("loadgen", "flood", f"--rate={rate:g}", log=home.folder / "load.txt")
        try:
            return _watch(pipeline, load, follower, gaps, wanted, rate, longest_s)
        finally:
            if load.poll() is None:
                stop(load)
    finally:
        gaps.close()
        if pipeline.poll() is None:
            stop(pipeline)


def _watch(
    pipeline: Popen[bytes], load: Popen[bytes], follower: LogFollower, gaps: Gaps, wanted: int, rate: float, longest_s: float
) -> Expiry:
    begun, longest, lag, rss, anonymous = time.monotonic(), 0.0, 0, 0, 0
    first, expired = None, 0
    while expired < wanted and time.monotonic() - begun < longest_s:
        for name, process in (("pipeline", pipeline), ("load generator", load)):
            if process.poll() is not None:
                raise TowerError(f"the {name} ended with {process.returncode}")
        if gaps.messages:  # from the first message on
            first = first or time.monotonic()
            gap = gaps.take()
            longest = max(longest, gap if time.monotonic() - first > _SETTLE_S else 0.0)
        else:
            gaps.restart()
        time.sleep(_LOOK_S)
        follower.look()
        expired = follower.last.counts.get("expired predictions", 0)
        now = footprint(pipeline.pid)
        lag, rss, anonymous = max(lag, follower.lag), max(rss, now.rss), max(anonymous, now.anonymous)
    seconds = time.monotonic() - (first or begun)
    return Expiry(expired, wanted, seconds, rate, longest, lag, rss, anonymous, load_a_core())
