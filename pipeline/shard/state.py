"""What a shard has on disk, and how it finds it again: names, progress, watermark, sequence number."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pipeline.cells import Keys
from pipeline.panes import Cells, key_bytes, pack_cells, unpack_cells
from pipeline.shard.names import NameTables, NewNames
from pipeline.store import Batch, Store
from pipeline.watermark import BEGINNING
from schemas.metrics import TUMBLING

FAMILIES = ("records", "panes", "names", "expiry", "outbox", "meta", "waiting")
RECORDS, PANES, NAMES, EXPIRY, OUTBOX, META, WAITING = FAMILIES
_BRIEF = (PANES, OUTBOX, META)
_LEAP = 1 << 40
Position = tuple[str, int]
"""A source partition: (topic, partition)."""


class ShardState:
    """The store of one shard, read at start and then changed by one batch a commit."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder, FAMILIES, brief=_BRIEF)
        meta = self._meta()
        self.sequence: int = meta.get("sequence", 0)
        self.progress: dict[Position, int] = {(topic, part): offset for topic, part, offset in meta.get("progress", [])}
        self.watermark: dict[str, Any] = meta.get("watermark", {})
        self.forgotten: int = max(meta.get("forgotten", 0), meta.get("whole", 0))
        """Up to this commit the outbox does not tell what has changed."""
        self.runs: list[list[int]] = meta.get("runs", [[self.forgotten, self.sequence]])
        """Of each run the first and the last commit, as far as they are not forgotten."""
        self.oldest_end: list[int] = meta.get("oldest_end", [BEGINNING] * len(TUMBLING))
        """For each tumbling window: of those that end by this, events were not taken up, or panes dropped."""
        self._in_run = False
        self._name_counts: dict[str, int] = {}

    def load_names(self, names: NameTables) -> None:
        """Fill the tables with what was stored."""
        stored: dict[str, list[Any]] = {table: [] for table in NameTables.TABLES}
        for key, value in self.store.scan(NAMES):
            stored[key[:-8].decode()].append(orjson.loads(value))
        for table, items in stored.items():
            names.load(table, items)
            self._name_counts[table] = len(names.table(table).items)

    def put_names(self, batch: Batch, added: NewNames) -> dict[str, tuple[int, list[Any]]]:
        """Put new names into the batch; return them with the id of the first of each table."""
        numbered: dict[str, tuple[int, list[Any]]] = {}
        for table, items in added.items():
            first = self._name_counts[table]
            for number, item in enumerate(items, first):
                batch.put(NAMES, table.encode() + number.to_bytes(8, "big"), orjson.dumps(item))
            numbered[table] = (first, items)
            self._name_counts[table] = first + len(items)
        return numbered

    def next_commit(self) -> None:
        """Take the number of the next commit.

        Each run begins with a random leap, so that a copy of this store that goes its own way has other numbers.
        """
        self.sequence += 1 if self._in_run else random.SystemRandom().randrange(1, _LEAP)
        if not self._in_run:
            self.runs.append([self.sequence, self.sequence])
        self.runs[-1][1] = self.sequence
        self._in_run = True

    def put_meta(self, batch: Batch, watermark: dict[str, Any]) -> None:
        """Put how far the shard is, in Kafka and with the publisher, and the watermark into the batch."""
        self.runs = [run for run in self.runs if run[1] >= self.forgotten]
        progress = [(topic, partition, offset) for (topic, partition), offset in self.progress.items()]
        stored = {
            "sequence": self.sequence,
            "progress": progress,
            "watermark": watermark,
            "forgotten": self.forgotten,
            "runs": self.runs,
            "oldest_end": self.oldest_end,
        }
        batch.put(META, b"state", orjson.dumps(stored))

    def panes(self, ids: Keys) -> Cells:
        """Return the stored cells of panes; `ids` ascend."""
        return unpack_cells(ids, self.store.get_all(PANES, key_bytes(ids)))

    def put_panes(self, batch: Batch, cells: Cells) -> None:
        """Put whole panes into the batch, and note in the outbox that the publisher must get them."""
        ids, values = pack_cells(cells)
        batch.put_all(PANES, key_bytes(ids), values)
        batch.put(OUTBOX, self.sequence.to_bytes(8, "big"), ids.astype("<u8").tobytes())

    def meet_publisher(self, acknowledged: int) -> bool:
        """Compare notes with a publisher whose store holds our commits up to `acknowledged`; return whether it must be told everything.

        A store that has lost its last writes, ours or the publisher's, was set back alone (a power cut, a copy from a backup): what
        the other one holds is then no help. Everything is told under a number that neither has used, which is stored at once: until
        the publisher has acknowledged it, each start tells everything.
        """
        ours = any(first <= acknowledged <= last for first, last in self.runs)
        if acknowledged == self.forgotten or (ours and acknowledged > self.forgotten):
            return False
        self.sequence, self._in_run = max(self.sequence, acknowledged), False
        self.next_commit()
        self.forgotten = self.sequence
        batch = self.store.batch()
        self.put_meta(batch, self.watermark)
        self.store.write(batch)
        return True

    def all_panes(self) -> Keys:
        """Return all panes, ascending."""
        return np.frombuffer(b"".join(key for key, _ in self.store.scan(PANES)), dtype=">u8").astype(np.uint64)

    def unpublished(self, acknowledged: int) -> Keys:
        """Return the panes that changed in commits after `acknowledged`, ascending."""
        found = [np.frombuffer(value, dtype="<u8") for _, value in self.store.scan(OUTBOX, (acknowledged + 1).to_bytes(8, "big"))]
        return np.unique(np.concatenate(found)).astype(np.uint64) if found else np.zeros(0, dtype=np.uint64)

    def forget_outbox(self, batch: Batch, acknowledged: int) -> None:
        """Drop the outbox up to the commit that the publisher has stored."""
        batch.delete_range(OUTBOX, bytes(8), (acknowledged + 1).to_bytes(8, "big"))
        self.forgotten = max(self.forgotten, acknowledged)

    def close(self) -> None:
        """Let go of the folder."""
        self.store.close()

    def _meta(self) -> dict[str, Any]:
        stored = self.store.get(META, b"state")
        found: dict[str, Any] = orjson.loads(stored) if stored else {}
        return found
