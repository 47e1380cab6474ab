"""What a shard tells the publisher after a commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.panes import Cells


@dataclass(frozen=True, slots=True)
class PaneUpdate:
    """The whole state of each pane that a shard changed, never a difference.

    `cells` are in the shard's ids; `names` holds, for each table, the id of the first of the items and the items.
    `counts` are totals since the start, for the health page. With `everything` these are all panes that the shard has: what it told
    before no longer counts.
    """

    shard: int
    sequence: int
    cells: Cells
    names: dict[str, tuple[int, list[Any]]]
    watermark: int
    newest_event_time: int
    counts: dict[str, int]
    everything: bool = False
