"""Which classes a model has, where its configuration says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cells import Ints
from pipeline.metrics.grouping import spread
from pipeline.metrics.table import PaneBatch


@dataclass(frozen=True, slots=True)
class ConfiguredClasses:
    """The configured classes of the panes of a batch."""

    batch: PaneBatch

    def of(self, panes: Ints) -> tuple[Ints, Ints]:
        """Return (pane, class) for each class that is configured for one of `panes` (ascending, may repeat)."""
        if self.batch.class_set is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        distinct = np.unique(panes)
        having = distinct[self.batch.class_set[distinct] >= 0]
        position, members = spread(self.batch.class_set[having], self.batch.class_sets)
        return having[position], members
