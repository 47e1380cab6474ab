"""What goes into the metrics, and what comes out: columns over many panes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints, Keys, Names

_COARSE_S = (3_600, 86_400)


@dataclass(frozen=True, slots=True)
class PaneBatch:
    """The cells of `count` merged panes of any models and windows.

    `pane` (int64, ascending) says which pane each of the cells `key`, `value` belongs to; keys
    ascend within a pane and are distinct. `length_s` and `elapsed_s` have one entry a pane: the
    window's length, and the part of it gone by (never more than the length, never 0).
    `positive_class` and `task` have one entry a pane: the index in `names.classes` of the configured
    positive class or -1, and 0 automatic, 1 binary, 2 multiclass, 3 regression.
    `rolling` is true for the panes of the rolling window. `class_set` has one entry a pane: the index
    in `class_sets` of the configured classes (ids in `names.classes`), or -1; None means -1 for all.
    """

    count: int
    pane: Ints
    key: Keys
    value: Floats
    length_s: Floats
    elapsed_s: Floats
    positive_class: Ints
    task: npt.NDArray[np.int8]
    rolling: npt.NDArray[np.bool_]
    names: Names
    class_set: Ints | None = None
    class_sets: Sequence[Ints] = ()

    def coarse(self) -> npt.NDArray[np.bool_]:
        """Return for each pane whether it is of an hour or a day, and may have rows by the dozen.

        Hours add up to any longer stretch, and finer windows would carry as many rows many times a second.
        """
        return np.isin(self.length_s, _COARSE_S)


@dataclass(frozen=True, slots=True)
class MetricTable:
    """Metric rows as columns, grouped by `pane` (ascending).

    `metric` indexes `METRIC_NAMES`; `dimension` indexes `dimensions`, of which 0 is `""`.
    `low` and `high` are NaN where no interval is defined.
    """

    pane: Ints
    metric: Ints
    dimension: Ints
    value: Floats
    n: Ints
    low: Floats
    high: Floats
    dimensions: list[str]
