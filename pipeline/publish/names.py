"""The publisher's ids for names, and the way from each shard's ids to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from pipeline.cells import Ints, Keys, Kind, Names, cell_a, cell_b, cell_keys, cell_kind
from pipeline.panes import Cells, pane_scope, with_scope
from pipeline.shard.names import Interner, NewNames, Scope
from schemas.metrics import ALL, OTHER

TABLES = ("texts", "features", "variants", "classes", "scopes", "key_sets")
_TABLE_OF_A = {
    Kind.KEYS: "key_sets",
    Kind.SENT: "features",
    Kind.NULL: "features",
    Kind.CONFUSION: "classes",
    Kind.OUTCOME_KNOWN: "variants",
    Kind.CONVERTED: "variants",
}


class PublishedNames:
    """Tables of names over all shards; ids are the publisher's own and are stored with its panes."""

    def __init__(self) -> None:
        self.texts: Interner[str] = Interner(ALL, OTHER)
        self.features: Interner[str] = Interner(OTHER)
        self.variants: Interner[str] = Interner("", OTHER)
        self.classes: Interner[str] = Interner(orjson.dumps(OTHER).decode())
        self.scopes: Interner[Scope] = Interner()
        self.key_sets: Interner[tuple[int, ...]] = Interner(())
        self._translation: dict[tuple[int, str], Ints] = {}

    def table(self, name: str) -> Interner[Any]:
        """Return the table of that name."""
        found: Interner[Any] = getattr(self, name)
        return found

    def learn(self, shard: int, names: dict[str, tuple[int, list[Any]]]) -> None:
        """Take over a shard's names; those that are known already are passed over.

        Raises ValueError for a gap: names that were never told.
        """
        for table in TABLES:  # in this order: scopes and key sets refer to texts and features
            first, items = names.get(table, (0, []))
            known = self._translation.get((shard, table), np.zeros(0, dtype=np.int64))
            if first > len(known):
                raise ValueError(f"shard {shard} speaks of {table} {first}, but only {len(known)} are known")
            new = [self._id_of(shard, table, item) for item in items[len(known) - first :]]
            if new:
                self._translation[shard, table] = np.concatenate([known, np.array(new, dtype=np.int64)])

    def added(self) -> NewNames:
        """Return what is new in each table since the last call."""
        return {name: new for name in TABLES if (new := self.table(name).added())}

    def load(self, table: str, items: list[Any]) -> None:
        """Take over a table that was stored earlier."""
        self.table(table).load(tuple(item) if isinstance(item, list) else item for item in items)

    def pane_ids(self, shard: int, panes: Keys) -> Keys:
        """Return a shard's pane ids as the publisher's."""
        return with_scope(panes, self._translation[shard, "scopes"][pane_scope(panes)]) if len(panes) else panes

    def cell_keys(self, shard: int, cells: Keys) -> Keys:
        """Return a shard's cells as the publisher's."""
        result = cells.copy()
        kinds = cell_kind(cells)
        for kind, table in _TABLE_OF_A.items():
            rows = np.flatnonzero(kinds == kind)
            if len(rows):
                ids = self._translation[shard, table]
                b = cell_b(cells[rows])
                result[rows] = cell_keys(kind, ids[cell_a(cells[rows])], ids[b] if kind == Kind.CONFUSION else b)
        return result

    def for_metrics(self) -> Names:
        """Return the names as the metrics take them."""
        key_sets = [np.array(features, dtype=np.int64) for features in self.key_sets.items]
        return Names(self.features.items, key_sets, [orjson.loads(text) for text in self.classes.items], self.variants.items)

    def scope(self, scope: int) -> tuple[str, str, str]:
        """Return (model, model_version, segment) of a scope."""
        model, version, segment = self.scopes.items[scope]
        texts = self.texts.items
        return texts[model], texts[version], texts[segment]

    def _id_of(self, shard: int, table: str, item: Any) -> int:
        if table == "scopes":
            item = tuple(self._translation[shard, "texts"][list(item)].tolist())
        elif table == "key_sets" and item:
            item = tuple(sorted(self._translation[shard, "features"][list(item)].tolist()))
        return self.table(table).id_of(item)


def translated_cells(names: PublishedNames, shard: int, cells: Cells) -> Cells:
    """Return cells that are in the publisher's panes already with their keys translated too."""
    return Cells(cells.pane, names.cell_keys(shard, cells.cell), cells.value)
