"""Waiting for a condition with a deadline: tests never sleep for a guessed time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

DEADLINE_S = 30.0
_LONGEST = 10
"""So many deadlines are the end, whatever still moves: what fails and starts again for ever moves too."""


def wait_until(
    condition: Callable[[], bool],
    what: str | Callable[[], str],
    deadline_s: float = DEADLINE_S,
    *,
    moves: Callable[[], object] | None = None,
) -> None:
    """Wait for a condition; fail the test with `what` after the deadline, which is that of an idle machine.

    With `moves` the deadline begins anew whenever that returns something else: a busy machine is slow, but it does not stand still.
    """
    started = changed = time.monotonic()
    seen = moves() if moves is not None else None
    while not condition():
        now = time.monotonic()
        if moves is not None and (look := moves()) != seen:
            seen, changed = look, now
        patience_s = deadline_s * slowness()
        if now - changed > patience_s or now - started > _LONGEST * patience_s:
            pytest.fail(f"not within {now - started:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.05)


def slowness() -> float:
    """Return how many times longer than on an idle machine something may take now, at least 1: the load for each processor."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
