"""What a shard tells the publisher after a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.panes import Cells
from pipeline.shard.state import Position
from pipeline.watermark import BEGINNING
from schemas.metrics import TUMBLING


@dataclass(frozen=True, slots=True)
class PaneUpdate:
    """The whole state of each pane that a shard changed, never a difference.

    `cells` are in the shard's ids; `names` holds, for each table, the id of the first of the items and the items.
    `counts` are totals since the start, `progress` is how far each partition is committed, and `commit_ms` how long that took: for the
    health page. With `everything` what the shard told before no longer counts.
    Of each tumbling window those are whole that end after `oldest_end`, in epoch milliseconds: what is older has passed its retention.
    With `more` other updates follow that belong to it; only the last of them carries the sequence number that is to be acknowledged.
    """

    shard: int
    sequence: int
    cells: Cells
    names: dict[str, tuple[int, list[Any]]]
    watermark: int
    newest_event_time: int
    counts: dict[str, int]
    everything: bool = False
    more: bool = False
    progress: Mapping[Position, int] = field(default_factory=dict)
    commit_ms: float = 0.0
    oldest_end: Sequence[int] = (BEGINNING,) * len(TUMBLING)
