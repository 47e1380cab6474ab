"""All candidates, in the order of the table. The limits stand right before what is measured by them: a machine's speed drifts."""

from __future__ import annotations

from benchmarks.throughput.candidate import Candidate
from benchmarks.throughput.candidates.bytewax import bytewax
from benchmarks.throughput.candidates.flink import flink
from benchmarks.throughput.candidates.kafka_streams import kafka_streams
from benchmarks.throughput.candidates.limits import limits
from benchmarks.throughput.candidates.quix import quix
from benchmarks.throughput.candidates.tower_everything import Everything
from benchmarks.throughput.candidates.tower_simple import tower_simple


def all_candidates(processes: int = 1) -> list[Candidate]:
    """Return them all; `processes` is for ours with everything on."""
    consume, loads, loads_both = limits()
    return [*bytewax(), quix(), kafka_streams(), *flink(), consume, loads, tower_simple(), loads_both, Everything(processes)]
