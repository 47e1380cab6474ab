"""Precision, recall and F1 of one class against all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cells import Floats, Ints
from pipeline.metrics.intervals import Bounds, f1_bounds, wilson
from pipeline.metrics.rows import Rows, Scope


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Labelled predictions of a class: rightly predicted to be of it, predicted to be of it, and those that are of it."""

    true: Floats
    predicted: Floats
    actual: Floats

    def precision(self) -> Floats:
        """Return the share of those predicted that are right; 0/0 counts as 0."""
        return _share(self.true, self.predicted)

    def recall(self) -> Floats:
        """Return the share of the actual ones that were found; 0/0 counts as 0."""
        return _share(self.true, self.actual)

    def f1(self) -> Floats:
        """Return 2 true / (predicted + actual), the harmonic mean of precision and recall; 0/0 counts as 0."""
        return _share(2 * self.true, self.predicted + self.actual)

    def precision_bounds(self) -> Bounds:
        """Return Wilson's interval, NaN where none were predicted."""
        return wilson(self.true, self.predicted)

    def recall_bounds(self) -> Bounds:
        """Return Wilson's interval, NaN where none are of the class."""
        return wilson(self.true, self.actual)

    def f1_bounds(self) -> Bounds:
        """Return the interval of F1, NaN where none were predicted and none are of the class."""
        return f1_bounds(self.true, self.predicted + self.actual - 2 * self.true)


def one_vs_rest_rows(pane: Ints, counts: ClassCounts, n: Floats, scope: Scope = Scope.WHOLE, name: Ints | None = None) -> list[Rows]:
    """Return precision, recall and f1_score, a row for each entry of `counts`; `n` are the labelled predictions of its pane."""
    return [
        Rows("precision", pane, counts.precision(), n, counts.precision_bounds(), scope, name),
        Rows("recall", pane, counts.recall(), n, counts.recall_bounds(), scope, name),
        Rows("f1_score", pane, counts.f1(), n, counts.f1_bounds(), scope, name),
    ]


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
