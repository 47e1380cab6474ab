"""Each candidate on a few thousand events in a real Kafka: its result is the one that SQL over the same events gives."""

from __future__ import annotations

import pytest

from benchmarks.throughput.candidate import Candidate, Measured, Stage
from benchmarks.throughput.candidates import all_candidates

CANDIDATES = {candidate.key: candidate for candidate in all_candidates()}
PEERS = ["quix", "kafka-streams", "flink", "flink-2"]
BYTEWAX = ["bytewax-ordered", "bytewax-unordered", "bytewax-2"]


def measured(candidate: Candidate, stage: Stage) -> Measured:
    found = candidate.measure(stage)
    assert found.records == candidate.reads.records(stage.written)
    assert 0 < found.seconds < stage.limit_s
    assert found.processor > 0
    assert found.memory > 10_000_000
    return found


@pytest.mark.parametrize("key", [key for key in CANDIDATES if key not in (*PEERS, *BYTEWAX)])
def test_what_needs_no_download_is_correct(key: str, stage: Stage) -> None:
    assert measured(CANDIDATES[key], stage).verdict.text() == "yes"


@pytest.mark.parametrize("key", BYTEWAX)
def test_what_bytewax_loses_is_what_it_says_was_late(key: str, stage: Stage) -> None:
    # With so few events one batch of a partition spans more time than its patience.
    found = measured(CANDIDATES[key], stage)
    assert found.verdict.wrong == ""
    assert found.verdict.lost == found.late


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize("key", PEERS)
def test_other_engines_are_correct(key: str, stage: Stage) -> None:
    assert measured(CANDIDATES[key], stage).verdict.text() == "yes"
