"""When something about a prediction becomes known."""

from __future__ import annotations

import numpy as np

from loadgen.models.service import Ints, Mask
from loadgen.scenario import Delay


def draw_delays(rng: np.random.Generator, delay: Delay, n: int) -> tuple[Mask, Ints]:
    """Return for each of `n` predictions whether it ever becomes known, and after how many milliseconds.

    A delay that spans more than a factor of 20 is spread log-evenly, like the late ones.
    """
    known = rng.random(n) < delay.share
    place = rng.random(n)
    wide = delay.latest > 20 * max(delay.earliest, 1)
    if wide:
        usual = np.exp(np.log(max(delay.earliest, 1)) + place * np.log(delay.latest / max(delay.earliest, 1)))
    else:
        usual = delay.earliest + place * (delay.latest - delay.earliest)
    late = rng.random(n) < delay.late_share
    if delay.late_to > delay.latest:
        usual = np.where(late, delay.latest * (delay.late_to / delay.latest) ** place, usual)
    return known, usual.astype(np.int64)
