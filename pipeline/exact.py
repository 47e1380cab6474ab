"""Sums of floats that are exact, whatever is added, taken back, or in which order.

A correction takes back what the earlier outcome had added. In float64 one outlier that is corrected later would leave
its rounding error in the sum for ever (1e15 + 17.8 - 1e15 is 17.75). So a number is cut into limbs of 32 bits, each of them an
integer in a cell of its own (Kulisch, "Computer Arithmetic and Validity", 2008: the long accumulator, held sparsely): adding integers is
exact up to 2**53, and it is associative, so that the order of events cannot show.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.cells import Floats, Ints, Kind, cell_a, cell_keys, cell_kind
from pipeline.panes import Cells

EXACT_KINDS = (Kind.ERROR_ABSOLUTE, Kind.ERROR_SQUARED, Kind.REVENUE)
LIMB_BITS = 32
_BIAS = 1088
"""The first limb counts units of 2**-1088; what is smaller than 2**-1022 is taken as zero."""
_INFINITE = 127
"""The limb that counts values that float64 does not hold, such as the square of 1e200."""
_MASK = np.int64((1 << LIMB_BITS) - 1)


def limbs(values: Floats) -> tuple[Ints, Ints, Floats]:
    """Return (row, limb, integer) such that each value is the sum of its integers times 2**(32 * limb - 1088)."""
    finite = np.isfinite(values)
    usable = np.where(finite, values, 0.0)
    mantissa, exponent = np.frexp(usable)
    sign = np.sign(mantissa)
    whole = np.abs(np.ldexp(mantissa, 53)).astype(np.int64)
    position = exponent.astype(np.int64) - 53 + _BIAS
    usable_rows = (position >= 0) & (whole > 0)
    first, shift = np.divmod(position, LIMB_BITS)
    # 53 bits shifted by up to 31 do not fit into 64: the upper 21 and the lower 32 bits are shifted apart.
    low = (whole & _MASK) << shift
    high = (whole >> LIMB_BITS) << shift
    parts = [(0, low & _MASK), (1, ((low >> LIMB_BITS) & _MASK) + (high & _MASK)), (2, high >> LIMB_BITS)]
    rows, indices, numbers = [], [], []
    for offset, part in parts:
        present = np.flatnonzero(usable_rows & (part != 0))
        rows.append(present)
        indices.append(first[present] + offset)
        numbers.append(sign[present] * part[present])
    infinite = np.flatnonzero(~finite)
    rows.append(infinite)
    indices.append(np.full(len(infinite), _INFINITE, dtype=np.int64))
    numbers.append(np.ones(len(infinite)))
    return np.concatenate(rows), np.concatenate(indices), np.concatenate(numbers)


def collapsed(cells: Cells) -> Cells:
    """Return the cells with the limbs of each exact sum replaced by the one cell of its float64 value."""
    kinds = cell_kind(cells.cell)
    is_limb = np.isin(kinds, EXACT_KINDS)
    if not is_limb.any():
        return cells
    rows = np.flatnonzero(is_limb)
    kind = kinds[rows]
    starts = np.flatnonzero(np.append(True, (cells.pane[rows][1:] != cells.pane[rows][:-1]) | (kind[1:] != kind[:-1])))
    group = np.cumsum(np.isin(np.arange(len(rows)), starts)) - 1
    first = rows[starts]
    value = _values(group, cell_a(cells.cell[rows]), cells.value[rows], len(starts))
    keys = np.array([cell_keys(found) for found in Kind], dtype=np.uint64)[kind[starts].astype(np.int64) - 1]
    kept = ~is_limb
    kept[first] = True
    cell, values = cells.cell.copy(), cells.value.copy()
    cell[first], values[first] = keys, value
    return Cells(cells.pane[kept], cell[kept], values[kept])


def _values(group: Ints, limb: Ints, number: Floats, groups: int) -> Floats:
    """Return the float64 value of each group of limbs: carried upwards first, so that no two limbs cancel."""
    infinite = np.bincount(group[limb == _INFINITE], minlength=groups) > 0
    usable = limb != _INFINITE
    least = int(limb[usable].min(initial=0))
    width = int(limb[usable].max(initial=0)) - least + 3
    table = np.zeros((groups, width))
    table[group[usable], limb[usable] - least] = number[usable]
    _carry(table)
    # A negative sum is carried as its opposite: the borrow at its top may lie beyond float64.
    sign = np.where(table[:, -1] < 0, -1.0, 1.0)
    table *= sign[:, None]
    _carry(table)
    value = np.zeros(groups)
    with np.errstate(over="ignore"):  # a sum beyond float64 is infinite
        for column in reversed(range(width)):
            value += np.ldexp(table[:, column], LIMB_BITS * (column + least) - _BIAS)
    return np.where(infinite, np.inf, sign * value)


def _carry(table: npt.NDArray[np.float64]) -> None:
    """Bring all limbs but the last of each row into 0 to 2**32, in place."""
    for column in range(table.shape[1] - 1):
        carry = np.floor(table[:, column] / 2.0**LIMB_BITS)
        table[:, column] -= carry * 2.0**LIMB_BITS
        table[:, column + 1] += carry
