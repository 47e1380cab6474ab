"""What the publisher has on disk: each shard's panes, and which of them are still to be published.

It is a mailbox: a shard's update is stored before the shard may forget it, and a pane stays marked until
the topic and DuckDB both have it. So a crash at any moment repeats work, and loses none.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pipeline.cells import Ints, Keys
from pipeline.panes import Cells, key_bytes, merge, pack_cells, unpack_cells
from pipeline.publish.names import TABLES, PublishedNames, translated_cells
from pipeline.shard.updates import PaneUpdate
from pipeline.store import Batch, Store
from pipeline.watermark import BEGINNING
from schemas.metrics import TUMBLING

FAMILIES = ("panes", "names", "dirty", "open", "rolling", "meta")
PANES, NAMES, DIRTY, OPEN, ROLLING, META = FAMILIES
_BRIEF = (PANES, DIRTY, OPEN, ROLLING, META)
_REVISIONS_RESERVED = 10_000


class PublisherState:
    """The store of the publisher; panes are kept per shard and added up when they are read."""

    def __init__(self, folder: Path, shards: int) -> None:
        self.store = Store(folder, FAMILIES, brief=_BRIEF)
        self.names = PublishedNames()
        self._shards = shards
        stored: dict[str, list[Any]] = {table: [] for table in TABLES}
        for key, value in self.store.scan(NAMES):
            stored[key[:-8].decode()].append(orjson.loads(value))
        for table, items in stored.items():
            self.names.load(table, items)
        self._name_counts = {table: len(self.names.table(table).items) for table in TABLES}
        meta = self.store.get(META, b"state")
        found: dict[str, Any] = orjson.loads(meta) if meta else {}
        self.sequences: dict[int, int] = {int(shard): sequence for shard, sequence in found.get("sequences", {}).items()}
        self.revision: int = found.get("revision", 0)
        self.settled: int = found.get("settled", 0)
        """How many writes DuckDB had when marks were last taken away."""
        self.rolling_end: int = found.get("rolling_end", 0)
        """The end of the rolling window that was open when the last update was stored."""
        self.oldest_end: list[int] = found.get("oldest_end", [BEGINNING] * len(TUMBLING))
        """Of each tumbling window all shards have those whole that end after this."""
        self._reserved = self.revision

    def take(self, update: PaneUpdate) -> tuple[Batch, Keys]:
        """Learn an update's names; return a batch that stores its panes, and the ids of all panes that this changes.

        The batch marks them dirty. It is not written yet, and lacks `put_meta`.
        """
        self.names.learn(update.shard, update.names)
        batch = self.store.batch()
        for table, items in self.names.added().items():
            first = self._name_counts[table]
            for number, item in enumerate(items, first):
                batch.put(NAMES, table.encode() + number.to_bytes(8, "big"), orjson.dumps(item))
            self._name_counts[table] = first + len(items)
        shard_ids, values = pack_cells(update.cells)
        ids = self.names.pane_ids(update.shard, shard_ids)
        keys = key_bytes(ids)
        suffix = update.shard.to_bytes(2, "big")
        changed = ids
        if update.everything:
            before = [key for key, _ in self.store.scan(PANES) if key.endswith(suffix)]
            batch.delete_all(PANES, before)
            changed = np.union1d(ids, _ids(key[:8] for key in before))
        batch.put_all(PANES, [key + suffix for key in keys], values)
        batch.put_all(DIRTY, key_bytes(changed), [b""] * len(changed))
        self.sequences[update.shard] = update.sequence
        self.oldest_end = [max(pair) for pair in zip(self.oldest_end, update.oldest_end, strict=True)]
        return batch, changed

    def stored(self, shard: int, ids: Keys) -> Cells:
        """Return what one shard has told of panes, translated; `ids` ascend."""
        suffix = shard.to_bytes(2, "big")
        cells = unpack_cells(ids, self.store.get_all(PANES, [key + suffix for key in key_bytes(ids)]))
        return translated_cells(self.names, shard, cells) if len(cells) else cells

    def merged(self, ids: Keys) -> Cells:
        """Return panes summed over the shards; `ids` ascend."""
        parts = [self.stored(shard, ids) for shard in range(self._shards)]
        return merge(parts)

    def next_revision(self) -> int:
        """Return a number that is larger than any before, also after a crash: they are reserved in blocks."""
        self.revision += 1
        if self.revision > self._reserved:
            self._reserved = self.revision + _REVISIONS_RESERVED
            batch = self.store.batch()
            self.put_meta(batch)
            self.store.write(batch)
        return self.revision

    def follow_revision(self, revision: int) -> None:
        """Go on from `revision` where it is larger than the last one known here."""
        self.revision = max(self.revision, revision)

    def put_meta(self, batch: Batch) -> None:
        """Put what `__init__` reads into the batch."""
        sequences = {str(shard): sequence for shard, sequence in self.sequences.items()}
        stored = {
            "sequences": sequences,
            "revision": self._reserved,
            "rolling_end": self.rolling_end,
            "settled": self.settled,
            "oldest_end": self.oldest_end,
        }
        batch.put(META, b"state", orjson.dumps(stored))

    def all_panes(self) -> Keys:
        """Return all panes that any shard has told of, ascending."""
        return np.unique(_ids(key[:8] for key, _ in self.store.scan(PANES)))

    def dirty(self) -> Keys:
        """Return the panes that were still to be published when the last run ended."""
        return _ids(key for key, _ in self.store.scan(DIRTY))

    def open_ends(self) -> Ints:
        """Return rows (window end, pane id) of the panes that were last published as provisional."""
        rows = [(int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")) for key, _ in self.store.scan(OPEN)]
        return np.array(rows, dtype=np.int64).reshape(-1, 2)

    def rolling_marks(self) -> dict[int, tuple[int, int]]:
        """Return for each scope the first and last end of rolling windows that are still to be published."""
        return {
            int.from_bytes(key, "big"): (int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big"))
            for key, value in self.store.scan(ROLLING)
        }

    def close(self) -> None:
        """Let go of the folder."""
        self.store.close()


def stored_sequences(folder: Path) -> dict[int, int]:
    """Return the last commit of each shard that a publisher's folder holds; none when there is no folder yet."""
    if not folder.exists():
        return {}
    store = Store(folder, FAMILIES)
    try:
        meta = store.get(META, b"state")
    finally:
        store.close()
    found: dict[str, Any] = orjson.loads(meta) if meta else {}
    return {int(shard): sequence for shard, sequence in found.get("sequences", {}).items()}


def _ids(keys: Iterable[bytes]) -> Keys:
    return np.frombuffer(b"".join(keys), dtype=">u8").astype(np.uint64)
