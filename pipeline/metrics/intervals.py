"""95 % confidence intervals. Each takes and returns arrays; NaN where the interval is not defined.

Bounds of proportions come from Wilson's score interval, and those of what is made of several
proportions from it by the method of variance estimates recovery (MOVER), of which Newcombe's
interval for a difference is the best known case. Unlike plus or minus z standard errors,
they stay inside the possible range and keep their width at 0 of n and n of n.

E. B. Wilson: Probable inference, the law of succession, and statistical inference. JASA 22, 1927.
R. G. Newcombe: Interval estimation for the difference between independent proportions:
    comparison of eleven methods. Statistics in Medicine 17, 1998.
G. Y. Zou, A. Donner: Construction of confidence limits about effect measures: a general approach.
    Statistics in Medicine 27, 2008.
D. Katz et al.: Obtaining confidence intervals for the risk ratio in cohort studies. Biometrics 34, 1978.
"""

from __future__ import annotations

import numpy as np

from pipeline.cells import Floats

Z = 1.959963984540054
"""The 0.975 quantile of the standard normal distribution."""

Bounds = tuple[Floats, Floats]


def wilson(successes: Floats, n: Floats) -> Bounds:
    """Return Wilson's score interval of `successes / n`, NaN where n is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p = successes / n
        centre = p + Z * Z / (2 * n)
        half = Z * np.sqrt(np.maximum(p * (1 - p), 0.0) / n + Z * Z / (4 * n * n))
        scale = 1 + Z * Z / n
        low, high = (centre - half) / scale, (centre + half) / scale
    # At 0 and at n the bound is the value itself; rounding must not push it past that.
    return np.clip(low, 0.0, p), np.clip(high, p, 1.0)


def f1_bounds(true: Floats, wrong: Floats) -> Bounds:
    """Return the interval of F1 = 2 `true` / (2 `true` + `wrong`), where `wrong` are both kinds of error; NaN where both are 0.

    Given how many predictions are not true negatives, the true positives among them are binomial
    with probability J (Jaccard's index), and F1 = 2 J / (1 + J) grows with J: Wilson's interval of J, carried over.
    For large n its width is that of the delta method, whose variance is F1 (1 - F1) (2 - F1) / (2 true + wrong).
    """
    low, high = wilson(true, true + wrong)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def newcombe(successes: Floats, n: Floats, base_successes: Floats, base_n: Floats) -> Bounds:
    """Return Newcombe's hybrid score interval (method 10) of `successes / n - base_successes / base_n`; both n > 0."""
    p, base = successes / n, base_successes / base_n
    low, high = wilson(successes, n)
    base_low, base_high = wilson(base_successes, base_n)
    difference = p - base
    return (
        np.maximum(difference - np.hypot(p - low, base_high - base), -1.0),
        np.minimum(difference + np.hypot(high - p, base - base_low), 1.0),
    )


def katz(successes: Floats, n: Floats, base_successes: Floats, base_n: Floats) -> Bounds:
    """Return Katz's log interval of (successes / n) / (base_successes / base_n); both n > 0, NaN where either count is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(successes / n) - np.log(base_successes / base_n)
        # A variance that is 0 (all converted in both arms) may come out a rounding below it.
        variance = np.maximum((1 / successes - 1 / n) + (1 / base_successes - 1 / base_n), 0.0)
        half = Z * np.sqrt(variance)
        low, high = np.exp(ratio - half), np.exp(ratio + half)
    undefined = (successes <= 0) | (base_successes <= 0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)


def mean_bounds(mean: Floats, mean_square: Floats, n: Floats) -> Bounds:
    """Return the normal interval of the mean of a quantity >= 0 from its first two moments, NaN where n < 2.

    It is NaN as well where a square is beyond the range of float64.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        variance_of_mean = np.maximum(mean_square - mean * mean, 0.0) / (n - 1)
        half = np.where((n > 1) & np.isfinite(variance_of_mean), Z * np.sqrt(variance_of_mean), np.nan)
    return np.maximum(mean - half, 0.0), mean + half
