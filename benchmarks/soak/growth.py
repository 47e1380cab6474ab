"""The rule: what is flat, and what grows.

A run's samples after the warm-up are cut in two halves of equal length. A quantity grows when the median of the second half is more than
5 % above that of the first, and by more than its slack. Medians, since compaction and checkpoints make saws of sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.soak.quantities import Quantity

MOST_GROWTH = 0.05
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Trend:
    """Of one quantity: the medians of the two halves after the warm-up, the largest value in them, and whether it grows."""

    first: float
    second: float
    largest: float
    grows: bool

    @property
    def growth(self) -> float:
        """The second half's median over the first one's, less 1."""
        return self.second / self.first - 1 if self.first else 0.0 if not self.second else float("inf")


def trend(quantity: Quantity, at_s: Sequence[float], values: Sequence[float], warm_up_s: float) -> Trend:
    """Return the trend of `values`, sampled `at_s` seconds after the start, ascending.

    Raises ValueError when a half has fewer than 10 samples: that is no evidence.
    """
    warm = [(at, value) for at, value in zip(at_s, values, strict=True) if at >= warm_up_s]
    middle = (warm_up_s + at_s[-1]) / 2 if at_s else warm_up_s
    first = [value for at, value in warm if at < middle]
    second = [value for at, value in warm if at >= middle]
    if min(len(first), len(second)) < FEWEST:
        raise ValueError(f"{len(first)} and {len(second)} samples after the warm-up, {FEWEST} each are needed")
    before, after = median(first), median(second)
    grows = quantity.slack is not None and after - before > max(MOST_GROWTH * before, quantity.slack)
    return Trend(before, after, max(first + second), grows)
