"""A candidate's windows against the expected ones: counts exact, p99 within the accuracy, nulls exact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.throughput.expected import ExpectedWindow, WindowKey
from benchmarks.throughput.job import WindowRow

P99_ACCURACY = 0.01
"""Relative. Engines that keep every value are exact, histograms with logarithmic buckets are made for this accuracy."""
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a result is right; `lost` events are missing from its windows, `wrong` names the first fault."""

    lost: int = 0
    wrong: str = ""

    @property
    def correct(self) -> bool:
        """Say whether nothing is lost and nothing is wrong."""
        return not self.lost and not self.wrong

    def text(self) -> str:
        """Return it for the table."""
        if self.correct:
            return "yes"
        return "; ".join(["no", *([f"{self.lost:,} events lost"] if self.lost else []), *([self.wrong] if self.wrong else [])])


def verdict(expected: Mapping[WindowKey, ExpectedWindow], windows: Iterable[WindowRow], *, interpolated: bool = False) -> Verdict:
    """Compare; `interpolated` is for engines whose p99 is the linear interpolation between two ranks.

    The p99 and the nulls of a window that has lost events are not looked at: they cannot be right.
    """
    found: dict[WindowKey, WindowRow] = {}
    lost, wrong = 0, ""
    for row in windows:
        key = row[:2]
        if key not in expected or key in found:
            wrong = wrong or f"{key} is {'there twice' if key in found else 'no window'}"
        found[key] = row
    for key, answer in expected.items():
        events = found[key][2] if key in found else 0
        lost += max(0, answer.events - events)
        if key in found and events >= answer.events:
            wrong = wrong or _fault(key, answer, found[key], interpolated)
    return Verdict(lost, wrong)


def _fault(key: WindowKey, answer: ExpectedWindow, row: WindowRow, interpolated: bool) -> str:
    _, _, events, p99, nulls = row
    wanted = answer.p99_interpolated if interpolated else answer.p99
    if events != answer.events:
        return f"{key} counts {events}, not {answer.events}"
    if not math.isclose(p99, wanted, rel_tol=P99_ACCURACY * (1 + _EXACT), abs_tol=_EXACT):
        return f"{key} has a p99 of {p99}, not {wanted}"
    if not math.isclose(nulls, answer.null_percentage, rel_tol=_EXACT, abs_tol=_EXACT):
        return f"{key} has {nulls} % nulls, not {answer.null_percentage}"
    return ""
