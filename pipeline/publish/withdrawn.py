"""Rows that are no more: their keys for DuckDB, and their tombstones for the topic."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from pipeline.cells import Keys
from pipeline.panes import WINDOWS, pane_scope, pane_start_ms, pane_window
from pipeline.publish.topic import Header
from schemas.metrics import REVISION, message_key

ScopeNames = Callable[[int], tuple[str, str, str]]
Tombstone = tuple[bytes, None, list[Header]]


def keys_table(panes: Keys, scope_names: ScopeNames) -> pa.Table:
    """Return the primary keys of the panes' rows, in their order."""
    named = [scope_names(scope) for scope in pane_scope(panes).tolist()]
    texts = [pa.array([name[part] for name in named], pa.string()) for part in range(3)]
    windows = pa.array([WINDOWS[window] for window in pane_window(panes).tolist()], pa.string())
    starts = pa.array(pane_start_ms(panes) * 1000, pa.timestamp("us", "UTC"))
    return pa.table([*texts, windows, starts], names=["model", "model_version", "segment", "window", "window_start"])


def tombstones(panes: Keys, scope_names: ScopeNames, revision: int) -> list[Tombstone]:
    """Return (key, value, headers) of the messages that take the panes' rows off the topic."""
    columns = zip(pane_scope(panes).tolist(), pane_window(panes).tolist(), pane_start_ms(panes).tolist(), strict=True)
    headers: list[Header] = [(REVISION, str(revision).encode())]
    return [(message_key(*scope_names(scope), WINDOWS[window], start), None, headers) for scope, window, start in columns]
