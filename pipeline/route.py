"""Which shard a row belongs to: its hash decides, so a prediction and its outcomes meet wherever they were produced."""

from __future__ import annotations

import numpy as np

from pipeline.columns import Outcomes, Predictions, Progress, Slice


def slices(progress: Progress, predictions: Predictions | None, outcomes: Outcomes | None, shards: int) -> list[Slice]:
    """Return what each shard gets of a batch; every shard gets the progress."""
    rows = predictions if predictions is not None else outcomes
    if rows is None:
        return [Slice(number, progress) for number in range(shards)]
    if shards == 1:
        return [Slice(0, progress, predictions, outcomes)]
    shard = (rows.hash[:, 1] % np.uint64(shards)).astype(np.int64)
    result = []
    for number in range(shards):
        mine = np.flatnonzero(shard == number)
        result.append(
            Slice(
                number,
                progress,
                predictions.take(mine) if predictions is not None and len(mine) else None,
                outcomes.take(mine) if outcomes is not None and len(mine) else None,
            )
        )
    return result
