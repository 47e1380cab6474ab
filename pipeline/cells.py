"""The cells that a pane is made of.

A pane summarises the predictions of one (model, version, segment) in one window. It is a sparse
vector: a sorted list of (cell, value), where a cell is a 64-bit key (kind, a, b). Two panes are
merged by adding the values of equal cells (`LATENCY_MAX` takes the larger), so merging is
associative and commutative, and a batch of events is itself just a small pane.

Kind              a                  b              value
KEYS              key set id                        predictions whose features had exactly these names
SENT              feature id                        values sent, where the key set was beyond the limit
NULL              feature id                        explicit nulls
ERROR                                               predictions with status error
LATENCY           bucket + 2**20                    predictions in this latency bucket
LATENCY_SUM                                         milliseconds
LATENCY_MAX                                         milliseconds
DUPLICATE                                           repeated deliveries
LATE                                                predictions read when the window was final
LABELLED                                            predictions with a label
CONFUSION         predicted class    actual class   labelled predictions
ERROR_COUNT                                         pairs of numbers (prediction, label)
ERROR_ABSOLUTE    limb                              sum of |prediction - label|
ERROR_SQUARED     limb                              sum of (prediction - label)**2
OUTCOME_KNOWN     variant id                        predictions whose `converted` is known
CONVERTED         variant id                        those that converted
REVENUE_COUNT                                       predictions with revenue
REVENUE           limb                              sum of revenue
UNMATCHED                                           outcomes whose prediction never came

Sums that corrections take back from are exact: see `pipeline.exact` for their limbs; in a `PaneBatch` they
have been put together, in the cell with limb 0. Ids are indices into `Names`. Values are float64: counts stay exact up to 2**53.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Kind(enum.IntEnum):
    """What a cell counts; see the table above."""

    KEYS = 1
    SENT = 2
    NULL = 3
    ERROR = 4
    LATENCY = 5
    LATENCY_SUM = 6
    LATENCY_MAX = 7
    DUPLICATE = 8
    LATE = 9
    LABELLED = 10
    CONFUSION = 11
    ERROR_COUNT = 12
    ERROR_ABSOLUTE = 13
    ERROR_SQUARED = 14
    OUTCOME_KNOWN = 15
    CONVERTED = 16
    REVENUE_COUNT = 17
    REVENUE = 18
    UNMATCHED = 19


FIELD_BITS = 28
_FIELD_MASK = (1 << FIELD_BITS) - 1


def cell_keys(kind: Kind, a: Ints | int = 0, b: Ints | int = 0) -> Keys:
    """Return the keys of cells of one kind, for arrays (or numbers) `a` and `b` below 2**28."""
    packed = (np.asarray(a, dtype=np.int64) << FIELD_BITS) | np.asarray(b, dtype=np.int64) | (int(kind) << 2 * FIELD_BITS)
    return packed.astype(np.uint64)


def cell_kind(keys: Keys) -> npt.NDArray[np.uint8]:
    """Return the kind of each cell."""
    return (keys >> np.uint64(2 * FIELD_BITS)).astype(np.uint8)


def cell_a(keys: Keys) -> Ints:
    """Return the first field of each cell."""
    return ((keys >> np.uint64(FIELD_BITS)) & np.uint64(_FIELD_MASK)).astype(np.int64)


def cell_b(keys: Keys) -> Ints:
    """Return the second field of each cell."""
    return (keys & np.uint64(_FIELD_MASK)).astype(np.int64)


# Latency buckets: the logarithmic mapping of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and
# fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019).
RELATIVE_ACCURACY = 0.01
_GAMMA = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY)
_LOG_GAMMA = math.log(_GAMMA)
BUCKET_OFFSET = 1 << 20
SMALLEST_LATENCY_MS = 1e-6
"""Shorter response times share the bucket of zero."""


def latency_buckets(milliseconds: Floats) -> Ints:
    """Return the bucket of each latency: ceil(log_gamma(x)) + 2**20, and 0 for (nearly) zero."""
    with np.errstate(divide="ignore"):
        index = np.ceil(np.log(milliseconds) / _LOG_GAMMA)
    return np.where(milliseconds < SMALLEST_LATENCY_MS, 0, index + BUCKET_OFFSET).astype(np.int64)


def bucket_values(buckets: Ints) -> Floats:
    """Return the value that stands for each bucket, within 1 % of all latencies in it."""
    return np.where(buckets == 0, 0.0, 2 * np.exp((buckets - BUCKET_OFFSET) * _LOG_GAMMA) / (_GAMMA + 1))


@dataclass(slots=True)
class Names:
    """What the ids in cells stand for. Variant 0 is `""`: no variant; key set 0 is empty.

    `classes` holds ints, floats and strings; booleans are 0 and 1.
    """

    features: list[str] = field(default_factory=list)
    key_sets: list[npt.NDArray[np.int64]] = field(default_factory=lambda: [np.zeros(0, dtype=np.int64)])
    classes: list[int | float | str] = field(default_factory=list)
    variants: list[str] = field(default_factory=lambda: [""])
