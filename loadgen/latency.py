"""How long answers take: log-normal around a median, with a slow tail."""

from __future__ import annotations

import numpy as np

from loadgen.models.service import Floats, Mask
from loadgen.scenario import Latency


def response_times(rng: np.random.Generator, latency: Latency, canary: Mask) -> Floats:
    """Return a response time in milliseconds for each request, to a hundredth.

    A slow answer (a cold cache, a garbage collection) takes 4 to about 40 times as long.
    """
    n = len(canary)
    usual = rng.lognormal(np.log(latency.median_ms), latency.sigma, n)
    slow = np.where(rng.random(n) < latency.slow_share, 4 * rng.lognormal(0.5, 0.6, n), 1.0)
    times: Floats = (usual * slow * np.where(canary, latency.canary_factor, 1.0)).round(2)
    return times
