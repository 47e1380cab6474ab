"""Which order statistics bound a quantile with 95 % confidence, whatever the distribution.

The number of n observations at or below the true q quantile is binomial(n, q), so the quantile lies between the order
statistics of ranks r and s when P(B < r) <= 2.5 % and P(B < s) >= 97.5 %.
H. A. David, H. N. Nagaraja: Order Statistics, 3rd edition, 2003, section 7.1.
"""

from __future__ import annotations

import functools

import numpy as np

from pipeline.cells import Ints
from pipeline.metrics.intervals import Z

EXACT_UP_TO = 512
"""Up to this n the ranks come from the binomial distribution itself, beyond from its Cornish-Fisher expansion."""
_TAIL = 0.025


def quantile_rank(percent: int, n: Ints) -> Ints:
    """Return ceil(n * percent / 100), the rank of the quantile as the inverted distribution function defines it."""
    return (n * percent + 99) // 100


def bounding_ranks(percent: int, n: Ints) -> tuple[Ints, Ints]:
    """Return the ranks (from 1) of the order statistics that bound a quantile, for each n > 0.

    0 as the lower rank, and n + 1 as the upper one, mean that n is too small for a bound.
    """
    lower, upper = _expanded_ranks(percent, n)
    exact_lower, exact_upper = _exact_ranks(percent)
    small = n <= EXACT_UP_TO
    at = np.where(small, n, 0)
    return np.where(small, exact_lower[at], lower), np.where(small, exact_upper[at], upper)


@functools.cache
def _exact_ranks(percent: int) -> tuple[Ints, Ints]:
    """Return the ranks for n = 0 ... EXACT_UP_TO, summing the binomial probabilities."""
    q = percent / 100
    n = np.arange(EXACT_UP_TO + 1)[:, None]
    k = np.arange(EXACT_UP_TO + 1)[None, :]
    log_factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, EXACT_UP_TO + 1)))))
    log_probability = log_factorial[n] - log_factorial[k] - log_factorial[np.maximum(n - k, 0)] + k * np.log(q) + (n - k) * np.log1p(-q)
    at_most = np.cumsum(np.where(k <= n, np.exp(np.minimum(log_probability, 0.0)), 0.0), axis=1)
    # Beyond k = n the distribution function is 1, though its sum may be a rounding short of it.
    lower = np.sum((at_most < _TAIL) & (k <= n), axis=1)
    upper = np.sum((at_most < 1 - _TAIL) & (k < n), axis=1) + 1
    return lower, upper


def _expanded_ranks(percent: int, n: Ints) -> tuple[Ints, Ints]:
    """Return the ranks by the normal expansion with its correction for skewness, each one rank to the safe side.

    E. A. Cornish, R. A. Fisher: Moments and cumulants in the specification of distributions, 1938.
    """
    q = percent / 100
    centre = n * q + (Z * Z - 1) * (1 - 2 * q) / 6
    half = Z * np.sqrt(n * q * (1 - q))
    lower = np.floor(centre - half - 0.5).astype(np.int64)
    upper = np.ceil(centre + half + 0.5).astype(np.int64) + 1
    return np.clip(lower, 0, n), np.clip(upper, 1, n + 1)
