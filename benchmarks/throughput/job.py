"""The simple job, as every engine does it: count, p99 of the response time and share of nulls for each model and 10 s of event time.

Programs of other packages run without ours: this module needs the standard library alone.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

TOPIC = "predictions"
WINDOW_MS = 10_000
PATIENCE_MS = 5 * 60_000
"""How far event times may be out of order, for the engines that must be told; what comes later is theirs to drop."""
REPARTITIONED_PATIENCE_MS = 60 * 60_000
"""The same for engines that re-key through another topic. There the events of all partitions lie in the order in which they happened to
be read, so that on a backlog they are as far apart as the readers are: this is longer than the events span."""

WindowRow = tuple[str, int, int, float, float]
"""Model, window start in epoch ms, events, p99 of response_time_ms, percentage of explicit nulls among all feature values."""


def nearest_rank_p99(latencies: Sequence[float]) -> float:
    """Return the latency of rank ceil(0.99 n) of those that were collected."""
    return sorted(latencies)[math.ceil(0.99 * len(latencies)) - 1]


def nulls_of(features: dict[str, object]) -> tuple[int, int]:
    """Return how many of an event's feature values are null, and how many there are."""
    return sum(value is None for value in features.values()), len(features)


@dataclass(slots=True)
class Stopwatch:
    """Wall clock and processor, in seconds since it was made, of this process: all its threads, and its own processes that have ended."""

    wall: float = field(default_factory=time.perf_counter)
    processor: float = field(default_factory=lambda: _processor_s())

    def read(self) -> tuple[float, float]:
        """Return the seconds gone by, and the processor's seconds spent in them."""
        return time.perf_counter() - self.wall, _processor_s() - self.processor


def _processor_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def report(
    events: int, seconds: float, processor_seconds: float, windows: Iterable[WindowRow] | None = None, *, late: int | None = None
) -> None:
    """Print what a program has measured, as the one line that the benchmark reads.

    `events` were read, `late` of them dropped as late, as far as the engine tells; `windows` are the results, None without any.
    """
    found: dict[str, object] = {"events": events, "seconds": seconds, "processor_seconds": processor_seconds, "late": late}
    found["windows"] = None if windows is None else list(windows)
    sys.stdout.write(json.dumps(found) + "\n")
