"""Precision, recall and F1 where no class is the positive one: of each class, and their mean.

The intervals of the means are MOVER intervals (see intervals.py) over those of the classes: the
square of the distance from a mean of k values to its bound is sum(r_ij d_i d_j) / k**2, where d_i is the distance from
class i's value to its own bound and r_ij the correlation of the values of classes i and j. Given
how often each class was predicted, precisions are independent, and given how often each occurs,
recalls are. F1 scores are not: their correlation is that of their multinomial delta-method
covariance, as in K. Takahashi, K. Yamamoto, A. Kuchiba, T. Koyama: Confidence interval for
micro-averaged F1 and macro-averaged F1 scores, Applied Intelligence 52, 2022. For large n the
interval of macro F1 is theirs; for small n theirs has no width where all are right.

MOVER carries the skewness of the classes over to their mean, though a mean of many is less skewed.
So the shorter side gets at least the root mean square of both: with ten classes and 300 predictions
that lifts the coverage of macro F1 from 92 % to 98 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cells import Floats, Ints
from pipeline.metrics.grouping import group_sums, sum_by
from pipeline.metrics.intervals import Bounds
from pipeline.metrics.one_vs_rest import ClassCounts, one_vs_rest_rows
from pipeline.metrics.rows import Rows, Scope
from pipeline.metrics.selection import Cells


def macro_rows(confusion: Cells, n: Floats) -> list[Rows]:
    """Return precision, recall and f1_score, averaged over the classes of a pane and of each class.

    `confusion` has the cells of the panes to average in, `n` the labelled predictions of each pane. The classes of a
    pane are those seen in it as label or prediction.
    """
    classes = _classes(confusion)
    pane = np.unique(classes.pane)
    class_rows = one_vs_rest_rows(classes.pane, classes.counts, n[classes.pane], Scope.CLASS, classes.id)
    mean_bounds = (
        classes.independent_bounds(class_rows[0], n.size),
        classes.independent_bounds(class_rows[1], n.size),
        classes.f1_bounds(class_rows[2], n.size),
    )
    rows = []
    for of_class, bounds in zip(class_rows, mean_bounds, strict=True):
        mean = classes.mean(of_class.value, n.size)[pane]
        low, high = np.maximum(mean - bounds[0][pane], 0.0), np.minimum(mean + bounds[1][pane], 1.0)
        rows += [Rows(of_class.metric, pane, mean, n[pane], (low, high)), of_class]
    return rows


@dataclass(frozen=True, slots=True)
class _Classes:
    """The classes of each pane, ordered by pane and id.

    `mistakes` are the cells: how many were wrong (0 for those that were right), and the positions here of their predicted and actual class.
    """

    pane: Ints
    id: Ints
    counts: ClassCounts
    mistakes: tuple[Floats, Ints, Ints]

    def mean(self, value: Floats, panes: int) -> Floats:
        """Return, for each pane, the mean of `value` over its classes."""
        total = sum_by(self.pane, value, panes)
        return total / np.maximum(np.bincount(self.pane, minlength=panes), 1)

    def independent_bounds(self, rows: Rows, panes: int) -> Bounds:
        """Return, for each pane, the distances from the mean of independent values to its bounds."""
        below, above = _distances(rows)
        return self._mean_distances(below * below, above * above, panes)

    def f1_bounds(self, rows: Rows, panes: int) -> Bounds:
        """Return, for each pane, the distances from the mean of F1 scores, with their correlations, to its bounds."""
        f1, total = rows.value, self.counts.predicted + self.counts.actual
        deviation = np.sqrt(f1 * (1 - f1) * (2 - f1) / total)
        # A mistake takes F1 / total from both of its classes.
        pull = np.divide(f1 / total, deviation, out=np.zeros_like(f1), where=deviation > 0)
        number, predicted, actual = self.mistakes
        squares = []
        for distance in _distances(rows):
            scaled = pull * distance
            shared = sum_by(predicted, number * scaled[predicted] * scaled[actual], f1.size)
            squares.append(distance * distance + 2 * shared)
        return self._mean_distances(squares[0], squares[1], panes)

    def _mean_distances(self, below: Floats, above: Floats, panes: int) -> Bounds:
        """Return, for each pane, the distances of the mean's bounds from the terms of their squares."""
        number = np.maximum(np.bincount(self.pane, minlength=panes), 1)
        below, above = sum_by(self.pane, below, panes), sum_by(self.pane, above, panes)
        least = (below + above) / 2
        return np.sqrt(np.maximum(below, least)) / number, np.sqrt(np.maximum(above, least)) / number


def _distances(rows: Rows) -> Bounds:
    """Return how far each value is from its bounds; 0 where it has none, since 0/0 is fixed to be 0."""
    if rows.bounds is None:
        return np.zeros_like(rows.value), np.zeros_like(rows.value)
    low, high = rows.bounds
    return np.nan_to_num(rows.value - low), np.nan_to_num(high - rows.value)


def _classes(confusion: Cells) -> _Classes:
    value = confusion.value
    predicted, actual = confusion.a(), confusion.b()
    by_predicted = group_sums(confusion.pane, predicted, value)
    by_actual = group_sums(confusion.pane, actual, value)
    seen = group_sums(
        np.concatenate((by_predicted.pane, by_actual.pane)),
        np.concatenate((by_predicted.id, by_actual.id)),
        np.concatenate((by_predicted.total, by_actual.total)),
    )
    class_predicted, class_actual = seen.member[: by_predicted.id.size], seen.member[by_predicted.id.size :]
    at_predicted, at_actual = class_predicted[by_predicted.member], class_actual[by_actual.member]
    is_right = predicted == actual
    right = np.flatnonzero(is_right)
    counts = ClassCounts(
        sum_by(at_predicted[right], value[right], seen.id.size),
        sum_by(class_predicted, by_predicted.total, seen.id.size),
        sum_by(class_actual, by_actual.total, seen.id.size),
    )
    return _Classes(seen.pane, seen.id, counts, (np.where(is_right, 0.0, value), at_predicted, at_actual))
