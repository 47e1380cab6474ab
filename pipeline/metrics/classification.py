"""Whether the predicted classes were right: accuracy, precision, recall, F1, and the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints, Kind, Names
from pipeline.metrics.configured import ConfiguredClasses
from pipeline.metrics.confusion import confusion_rows
from pipeline.metrics.intervals import wilson
from pipeline.metrics.macro import macro_rows
from pipeline.metrics.naming import is_binary_class
from pipeline.metrics.one_vs_rest import ClassCounts, one_vs_rest_rows
from pipeline.metrics.rows import Rows
from pipeline.metrics.selection import Cells, Selection

AUTOMATIC, BINARY, MULTICLASS, REGRESSION = 0, 1, 2, 3
"""What `PaneBatch.task` holds."""

Mask = npt.NDArray[np.bool_]


def classification_rows(cells: Selection) -> list[Rows]:
    """Return accuracy, precision, recall and f1_score, and f1_score_rolling_7d for the panes of the rolling window.

    A binary pane has those of the positive class, any other their mean over its classes and those of each class.
    """
    confusion = cells.counts(Kind.CONFUSION)
    confusion = confusion.where(cells.batch.task[confusion.pane] != REGRESSION)
    predicted, actual = confusion.a(), confusion.b()
    n = cells.totals(confusion)
    right = cells.totals(confusion.where(predicted == actual))
    pane = np.flatnonzero(n)
    rows = [Rows("accuracy", pane, right[pane] / n[pane], n[pane], wilson(right[pane], n[pane]))]
    configured = ConfiguredClasses(cells.batch)
    expected = configured.of(confusion.pane)
    classes = _classes(np.concatenate((predicted, actual, expected[1])), cells.batch.names)
    binary = _binary_panes(cells, confusion, expected, classes)
    in_binary = binary[confusion.pane]
    rows += _binary_rows(cells, confusion.where(in_binary), classes, n)
    rows += macro_rows(confusion.where(~in_binary), configured, n)
    rows.append(confusion_rows(confusion, cells.batch, n))
    rolling = cells.batch.rolling
    return rows + [row.where(rolling[row.pane]).renamed("f1_score_rolling_7d") for row in rows if row.metric == "f1_score"]


@dataclass(frozen=True, slots=True)
class _Classes:
    """Whether a class id that occurs is the integer 0 or 1 (false or true), and whether it is the integer 1."""

    zero_or_one: Mask
    one: Mask


def _classes(ids: Ints, names: Names) -> _Classes:
    used = np.zeros(len(names.classes), dtype=np.bool_)
    used[ids] = True
    zero_or_one, one = np.zeros_like(used), np.zeros_like(used)
    for index in np.flatnonzero(used).tolist():
        zero_or_one[index] = is_binary_class(names.classes[index])
        one[index] = zero_or_one[index] and names.classes[index] == 1
    return _Classes(zero_or_one, one)


def _binary_panes(cells: Selection, confusion: Cells, configured: tuple[Ints, Ints], classes: _Classes) -> Mask:
    """Return for each pane whether it has a positive class: by configuration, or because its classes are 0 and 1 only.

    `configured` are (pane, class) where the classes are configured; these count then, not those seen.
    """
    batch = cells.batch
    other = ~(classes.zero_or_one[confusion.a()] & classes.zero_or_one[confusion.b()])
    only_zero_and_one = np.ones(batch.count, dtype=np.bool_)
    only_zero_and_one[confusion.pane[other]] = False
    only_zero_and_one[configured[0]] = True
    only_zero_and_one[configured[0][~classes.zero_or_one[configured[1]]]] = False
    binary: Mask = (batch.task == BINARY) | (batch.task == AUTOMATIC) & ((batch.positive_class >= 0) | only_zero_and_one)
    return binary


def _binary_rows(cells: Selection, confusion: Cells, classes: _Classes, n: Floats) -> list[Rows]:
    """Return the rows of the positive class: the configured one, else the integer 1."""
    positive = cells.batch.positive_class[confusion.pane]
    predicted, actual = confusion.a(), confusion.b()
    is_predicted = np.where(positive >= 0, predicted == positive, classes.one[predicted])
    is_actual = np.where(positive >= 0, actual == positive, classes.one[actual])
    pane = np.flatnonzero(cells.totals(confusion))
    n = n[pane]
    true = cells.totals(confusion.where(is_predicted & is_actual))[pane]
    as_predicted = cells.totals(confusion.where(is_predicted))[pane]
    as_actual = cells.totals(confusion.where(is_actual))[pane]
    return one_vs_rest_rows(pane, ClassCounts(true, as_predicted, as_actual), n)
