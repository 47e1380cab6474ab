"""Where the time goes: a stage is not charged with what another within it took."""

from __future__ import annotations

import time
from types import SimpleNamespace

from benchmarks.stages import Clock


def _work(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_stage_within_another_counts_once() -> None:
    code = SimpleNamespace(inner=lambda: _work(0.04))
    code.outer = lambda: (_work(0.02), code.inner(), code.inner())
    clock = Clock()
    clock.measure(code, "inner", "inside")
    clock.measure(code, "outer", "outside")
    code.outer()
    assert 0.02 <= clock.spent["outside"] < 0.04
    assert 0.08 <= clock.spent["inside"] < 0.12
