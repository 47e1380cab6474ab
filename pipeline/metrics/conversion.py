"""How many converted in each arm of an experiment, and how much better than control an arm is."""

from __future__ import annotations

import numpy as np

from pipeline.cells import Floats, Kind
from pipeline.metrics.grouping import Groups, group_sums, sum_by
from pipeline.metrics.intervals import katz, newcombe, wilson
from pipeline.metrics.rows import Rows, Scope
from pipeline.metrics.selection import Selection

CONTROL = "control"


def conversion_rows(cells: Selection) -> list[Rows]:
    """Return conversion_rate over all and for each variant, and the uplift of each variant over control."""
    known_cells, converted_cells = cells.counts(Kind.OUTCOME_KNOWN), cells.counts(Kind.CONVERTED)
    known = group_sums(known_cells.pane, known_cells.a(), known_cells.value)
    converted = group_sums(converted_cells.pane, converted_cells.a(), converted_cells.value).gather(known.pane, known.id)
    total = sum_by(known.pane, known.total, cells.batch.count)
    total_converted = sum_by(known.pane, converted, cells.batch.count)
    pane = np.flatnonzero(total)
    x, n = total_converted[pane], total[pane]
    arms = Rows(
        "conversion_rate", known.pane, converted / known.total, known.total, wilson(converted, known.total), Scope.VARIANT, known.id
    )
    return [
        Rows("conversion_rate", pane, x / n, n, wilson(x, n)),
        arms.where(known.id != 0),
        *_uplift(known, converted, cells),
    ]


def _uplift(known: Groups, converted: Floats, cells: Selection) -> list[Rows]:
    """Return the difference and the relative difference to control, for the arms of panes in which control's rate is known."""
    is_control = np.array([name == CONTROL for name in cells.batch.names.variants], dtype=np.bool_)[known.id]
    count = cells.batch.count
    control_known = sum_by(known.pane[is_control], known.total[is_control], count)
    control_converted = sum_by(known.pane[is_control], converted[is_control], count)
    arm = np.flatnonzero(~is_control & (known.id != 0) & (control_known[known.pane] > 0))
    pane, name = known.pane[arm], known.id[arm]
    x, n, base_x, base_n = converted[arm], known.total[arm], control_converted[pane], control_known[pane]
    difference = x / n - base_x / base_n
    absolute = Rows("conversion_rate_uplift", pane, difference, n + base_n, newcombe(x, n, base_x, base_n), Scope.VARIANT, name)
    some = base_x > 0
    low, high = katz(x[some], n[some], base_x[some], base_n[some])
    over_control = difference[some] * base_n[some] / base_x[some]
    relative = Rows(
        "conversion_rate_uplift_relative", pane[some], over_control, (n + base_n)[some], (low - 1, high - 1), Scope.VARIANT, name[some]
    )
    return [absolute, relative]
