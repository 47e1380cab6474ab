"""The open pages, and how they learn of new data: one data-free callback each, coalesced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from bokeh.document import Document


@dataclass(eq=False, slots=True)
class Viewer:
    """One open page: its document, and the function that pulls what it lacks."""

    doc: Document
    pull: Callable[[], None]
    pending: bool = field(default=False)


class Viewers:
    """Registers pages; `notify` may be called from any thread.

    `on_loop` has a function called soon in the thread of the server's event loop.
    """

    def __init__(self, on_loop: Callable[[Callable[[], None]], object]) -> None:
        self._on_loop = on_loop
        self._lock = threading.Lock()
        self._viewers: set[Viewer] = set()

    def __len__(self) -> int:
        with self._lock:
            return len(self._viewers)

    def add(self, doc: Document, pull: Callable[[], None], close: Callable[[], None]) -> None:
        """Register a page; `close` is called once, when its session ends."""
        viewer = Viewer(doc, pull)

        def gone(_context: object) -> None:
            with self._lock:
                self._viewers.discard(viewer)
            close()

        doc.on_session_destroyed(gone)
        with self._lock:
            self._viewers.add(viewer)

    def notify(self) -> None:
        """Have each page pull soon; one that has not yet got round to it is not asked again.

        Bokeh loses a callback that another thread gives to a document whose session is just being made, so it is the loop that gives it.
        """
        self._on_loop(self._ask)

    def _ask(self) -> None:
        with self._lock:
            due = [viewer for viewer in self._viewers if not viewer.pending]
            for viewer in due:
                viewer.pending = True
        for viewer in due:
            viewer.doc.add_next_tick_callback(_pull(self, viewer))

    def has(self, viewer: Viewer) -> bool:
        """Say whether the page is still open."""
        with self._lock:
            return viewer in self._viewers


def _pull(viewers: Viewers, viewer: Viewer) -> Callable[[], None]:
    def pull() -> None:
        # Cleared first: data that comes during the pull asks for another one.
        viewer.pending = False
        if viewers.has(viewer):
            viewer.pull()

    return pull
