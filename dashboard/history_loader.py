"""Reads history in a worker thread, so that neither the event loop nor the feed waits for the disk."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from dashboard.history import History
from dashboard.scope import Scope
from dashboard.store import Store

_log = logging.getLogger("dashboard.history")


class HistoryLoader:
    """Loads the fleet once and scopes on demand, one after the other; calls `changed` after each."""

    def __init__(self, *, home: Path, store: Store, changed: Callable[[], None]) -> None:
        self._home = home
        self._store = store
        self._changed = changed
        self._history: History | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")
        self.fleet_loaded = False

    def load_fleet(self) -> None:
        """Begin to read what the fleet page needs."""
        self._worker.submit(self._guarded, self._fleet)

    def load(self, scope: Scope) -> None:
        """Begin to read a scope that was just opened."""
        self._worker.submit(self._guarded, lambda: self._scope(scope))

    def weigh(self, model: str) -> None:
        """Begin to read how many predictions each version and segment of a model has had."""
        self._worker.submit(self._guarded, lambda: self._store.weigh(model, self._opened().volumes(model)))

    def close(self) -> None:
        """Stop after the read that is under way."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except duckdb.Error as error:
            # The page shows live data all the same; the reason is for whoever runs the server.
            _log.error("history could not be read from %s: %s", self._home / "lake", error)
        finally:
            self._changed()

    def _opened(self) -> History:
        if self._history is None:
            self._history = History.of(self._home)
        return self._history

    def _fleet(self) -> None:
        try:
            history = self._opened()
            for model, window, block in history.fleet():
                self._store.load_fleet(model, window, block)
            self._store.know(history.scopes())
        finally:
            self.fleet_loaded = True

    def _scope(self, scope: Scope) -> None:
        try:
            for window, block in self._opened().detail(scope):
                self._store.load(scope, window, block)
        finally:
            self._store.loaded(scope)
