"""Precision, recall and F1 where no class is the positive one: of each class, and their mean.

The intervals of the means are MOVER intervals (see intervals.py) over those of the classes: the
square of the distance from a mean of k values to its bound is sum(r_ij d_i d_j) / k**2, where d_i
is the distance from class i's value to its own bound, and r_ij the correlation of the values of
classes i and j. Given how often each class was predicted, precisions are independent, and given how
often each occurs, recalls are. F1 scores are not: their correlation is that of their multinomial
delta-method covariance, as in K. Takahashi, K. Yamamoto, A. Kuchiba, T. Koyama: Confidence interval
for micro-averaged F1 and macro-averaged F1 scores, Applied Intelligence 52, 2022. For large n the
interval of macro F1 is theirs; for small n theirs has no width where all are right.

MOVER carries the skewness of the classes over to their mean, though a mean of many is less skewed.
So the shorter side gets at least the root mean square of both: with ten classes and 300 predictions
that lifts the coverage of macro F1 from 92 % to 98 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cells import Floats, Ints
from pipeline.metrics.configured import ConfiguredClasses
from pipeline.metrics.grouping import Groups, group_sums, sum_by
from pipeline.metrics.intervals import Bounds
from pipeline.metrics.one_vs_rest import ClassCounts, one_vs_rest_rows
from pipeline.metrics.rows import Rows, Scope
from pipeline.metrics.selection import Cells


def macro_rows(confusion: Cells, configured: ConfiguredClasses, n: Floats) -> list[Rows]:
    """Return precision, recall and f1_score, averaged over the classes of a pane and of each class.

    `confusion` has the cells of the panes to average in, `n` the labelled predictions of each pane. The classes of a
    pane are those configured, else those seen in it as label or prediction.
    """
    classes = _classes(confusion, configured.of(confusion.pane))
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
    """The classes to average in each pane, ordered by pane and id.

    `mistakes` are the cells: how many were wrong (0 for those that were right), and the positions here of
    their predicted and actual class, one past the end for a class that is not among those configured.
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
        # A configured class that was not seen has a total of 0.
        total = np.maximum(total, 1.0)
        deviation = np.sqrt(f1 * (1 - f1) * (2 - f1) / total)
        # A mistake takes F1 / total from both of its classes.
        pull = np.divide(f1 / total, deviation, out=np.zeros_like(f1), where=deviation > 0)
        number, predicted, actual = self.mistakes
        squares = []
        for distance in _distances(rows):
            scaled = np.append(pull * distance, 0.0)
            shared = sum_by(predicted, number * scaled[predicted] * scaled[actual], f1.size + 1)[:-1]
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


def _classes(confusion: Cells, configured: tuple[Ints, Ints]) -> _Classes:
    """Return the classes of the panes of `confusion`; `configured` are (pane, class) of those where they are configured."""
    value, right = confusion.value, confusion.a() == confusion.b()
    by_predicted = group_sums(confusion.pane, confusion.a(), value)
    by_actual = group_sums(confusion.pane, confusion.b(), value)
    known = _known_classes(by_predicted, by_actual, configured)
    at_predicted, at_actual, at_configured = np.split(known.member, np.cumsum((by_predicted.pane.size, by_actual.pane.size)))
    averaged = ~np.isin(known.pane, configured[0])
    averaged[at_configured] = True
    kept = np.flatnonzero(averaged)
    place = np.full(known.pane.size, kept.size)
    place[kept] = np.arange(kept.size)
    counts = ClassCounts(
        sum_by(at_predicted[by_predicted.member], np.where(right, value, 0.0), known.pane.size)[kept],
        sum_by(at_predicted, by_predicted.total, known.pane.size)[kept],
        sum_by(at_actual, by_actual.total, known.pane.size)[kept],
    )
    mistakes = (np.where(right, 0.0, value), place[at_predicted][by_predicted.member], place[at_actual][by_actual.member])
    return _Classes(known.pane[kept], known.id[kept], counts, mistakes)


def _known_classes(by_predicted: Groups, by_actual: Groups, configured: tuple[Ints, Ints]) -> Groups:
    """Return the distinct classes of each pane that were predicted, are actual, or are configured, with members in that order."""
    return group_sums(
        np.concatenate((by_predicted.pane, by_actual.pane, configured[0])),
        np.concatenate((by_predicted.id, by_actual.id, configured[1])),
        np.concatenate((by_predicted.total, by_actual.total, np.zeros(configured[0].size))),
    )
