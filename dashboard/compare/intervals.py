"""Intervals of shares and differences, and which of many differences are beyond noise. All intervals are of 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Value:
    """A number, what it was computed from, and its interval; a bound that is not defined is None."""

    value: float
    n: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference with its interval, and how likely one at least so large is where nothing differs."""

    value: float
    low: float
    high: float
    p: float

    @property
    def beyond(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def wilson(hits: float, n: int) -> Value:
    """Return a share with Wilson's interval.

    Wilson: Probable inference, the law of succession, and statistical inference. JASA 22, 1927.
    """
    share, shrink = hits / n, 1 + _Z**2 / n
    centre = (share + _Z**2 / (2 * n)) / shrink
    half = _Z / shrink * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return Value(share, n, 0.0 if hits <= 0 else centre - half, 1.0 if hits >= n else centre + half)


def difference(a: Value, b: Value) -> Difference | None:
    """Return b - a with the interval that their own intervals give; None where one of them has none.

    MOVER, the method of variance estimates recovery: each bound of the difference lies as far from it as the two bounds that make it
    so large or so small do together, taken as independent (Zou, Donner: Construction of confidence limits about effect measures: a
    general approach. Statistics in Medicine 27, 2008). For two shares with Wilson's intervals it is Newcombe's hybrid score interval,
    method 10 (Newcombe: Interval estimation for the difference between independent proportions. Statistics in Medicine 17, 1998).

    `p` takes the distance to zero on its own side to be normal, so that it is below 5 % where the interval excludes zero.
    """
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return None
    found = b.value - a.value
    low = found - math.hypot(b.value - b.low, a.high - a.value)
    high = found + math.hypot(b.high - b.value, a.value - a.low)
    reach = found - low if found > 0 else high - found
    if found == 0:
        return Difference(found, low, high, 1.0)
    return Difference(found, low, high, math.erfc(_Z * abs(found) / reach / math.sqrt(2)) if reach > 0 else 0.0)


def ratio_less_one(a: tuple[float, int], b: tuple[float, int]) -> Value:
    """Return b's share over a's, less 1, each given as (hits, n) with hits > 0, with Katz's log interval.

    Katz, Baptista, Azen, Pike: Obtaining confidence intervals for the risk ratio in cohort studies. Biometrics 34, 1978.
    """
    (x, m), (y, n) = a, b
    ratio = y / n / (x / m)
    half = _Z * math.sqrt(max(0.0, 1 / y - 1 / n + 1 / x - 1 / m))
    return Value(ratio - 1, m + n, ratio * math.exp(-half) - 1, ratio * math.exp(half) - 1)


def beyond_together(ps: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Return which of the differences stay beyond noise when all are looked at together: Holm's step-down procedure.

    The chance that it calls even one of those that do not differ is at most `level`, however they depend on each other; metrics of the
    same predictions depend on each other strongly (Holm: A simple sequentially rejective multiple test procedure. Scandinavian Journal of
    Statistics 6, 1979).
    """
    found = [False] * len(ps)
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda each: ps[each])):
        if ps[index] > level / (len(ps) - rank):
            break
        found[index] = True
    return found
