"""The cells of one kind, over all panes of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints, Keys, Kind, cell_a, cell_b, cell_kind
from pipeline.metrics.grouping import sum_by
from pipeline.metrics.table import PaneBatch


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one kind as columns of one length, ordered by (pane, a, b)."""

    pane: Ints
    key: Keys
    value: Floats

    def a(self) -> Ints:
        """Return the first field of each cell, such as the feature or the predicted class."""
        return cell_a(self.key)

    def b(self) -> Ints:
        """Return the second field of each cell, such as the actual class."""
        return cell_b(self.key)

    def where(self, mask: npt.NDArray[np.bool_]) -> Cells:
        """Return the cells for which `mask` holds, in the same order."""
        if mask.all():
            return self
        at = np.flatnonzero(mask)
        return Cells(self.pane[at], self.key[at], self.value[at])


@dataclass(frozen=True, slots=True)
class Selection:
    """A batch whose kinds have been read once, from which each question takes the cells that it needs."""

    batch: PaneBatch
    kinds: npt.NDArray[np.uint8]

    def counts(self, kind: Kind) -> Cells:
        """Return the cells of a kind that counts; those that retractions brought back to 0 are absent."""
        at = np.flatnonzero(self.kinds == kind)
        value = self.batch.value[at]
        present = value > 0
        if not present.all():
            at, value = at[present], value[present]
        return Cells(self.batch.pane[at], self.batch.key[at], value)

    def count(self, kind: Kind) -> Floats:
        """Return, for each pane, the total of a kind that counts."""
        return self.totals(self.counts(kind))

    def measure(self, kind: Kind) -> Floats:
        """Return, for each pane, the value of a kind without fields that is a sum or a maximum; 0 where absent."""
        at = np.flatnonzero(self.kinds == kind)
        values = np.zeros(self.batch.count)
        values[self.batch.pane[at]] = self.batch.value[at]
        return values

    def totals(self, cells: Cells) -> Floats:
        """Return, for each pane, the sum of the values of `cells`."""
        return sum_by(cells.pane, cells.value, self.batch.count)


def select(batch: PaneBatch) -> Selection:
    """Return the batch with the kind of each cell at hand."""
    return Selection(batch, cell_kind(batch.key))
