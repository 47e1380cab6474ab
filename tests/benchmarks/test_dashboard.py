"""The dashboard's measurements: nothing that a viewer had late, or never, makes them look better."""

from __future__ import annotations

import math

import pytest

from benchmarks.dashboard.client import delays_s
from benchmarks.dashboard.pixel import FIRST_MS, STEP, Probe


def test_what_was_overtaken_by_newer_data_is_late_until_there_was_word_of_that() -> None:
    assert delays_s(10_000, 10_500, 10_600, 0.5) == [0.1]
    assert delays_s(10_000, 10_508, 10_600, 0.5) == pytest.approx([0.092])
    # Nothing for two seconds: four were published, and the first of them waited for 1.6 s.
    assert delays_s(10_000, 12_000, 12_100, 0.5) == pytest.approx([0.1, 0.6, 1.1, 1.6])
    assert delays_s(10_000, 10_003, 10_600, 0.5) == pytest.approx([0.597])  # two models of one round


def test_an_event_is_a_pixel_with_the_first_line_that_tells_of_it_or_of_a_later_one() -> None:
    probe = Probe.__new__(Probe)
    probe.sent = [1_000 * number for number in range(13)]
    seen = [(FIRST_MS * STEP**number * 1.004, at) for number, at in ((10, 10_300), (12, 12_700))]
    assert probe.delays_s(seen) == [0.3, 1.7, 0.7]
    assert probe.delays_s(seen[:1]) == [0.3, math.inf, math.inf]
