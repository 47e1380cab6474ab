"""The rows of a file on their way to Kafka: as fast as possible, or some times as fast as they happened."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from loadgen.progress import Progress
from loadgen.replay.events import Row
from loadgen.sending import Sender
from loadgen.stopping import Stopped
from schemas.topics import OUTCOMES, PREDICTIONS

WAITING_OUTCOMES = 100_000
"""Outcomes that wait in memory for their time; beyond it, the one that is due first is sent early."""


@dataclass(slots=True)
class Sent:
    """What has been sent. `unborn` outcomes lie in the future and were left out, `early` ones went before their time,
    and `late_rows` were older than one before them when a speed was asked for.
    """

    rows: int = 0
    outcomes: int = 0
    unborn: int = 0
    early: int = 0
    late_rows: int = 0

    def notes(self) -> list[str]:
        """Return what a reader of the counts should know."""
        notes = []
        if self.unborn:
            notes.append(f"{self.unborn:,} outcomes would be in the future and were left out")
        if self.early:
            notes.append(f"{self.early:,} outcomes were sent before their time: no more than {WAITING_OUTCOMES:,} wait")
        if self.late_rows:
            notes.append(f"{self.late_rows:,} rows were older than one before them and were sent at once")
        return notes


class PacedReplay:
    """Sends rows in their order, as fast as possible or `speed` times as fast as they happened."""

    def __init__(self, sender: Sender, speed: float | None, stop: threading.Event, progress: Progress, out: TextIO) -> None:
        self.sent = Sent()
        self._sender = sender
        self._speed = speed
        self._stop = stop
        self._progress = progress
        self._out = out
        self._started = time.monotonic()
        self._first_ms: int | None = None
        self._newest_ms = 0
        self._waiting: list[tuple[int, int, Row]] = []

    def send_all(self, rows: Iterator[Row]) -> bool:
        """Send all rows, and return whether that was done: not when stopped. What was sent is in `sent` at any time."""
        try:
            for row in rows:
                self._await(row.created_at)
                if self._stop.is_set() or not self._sender.send(PREDICTIONS, row.key, row.prediction):
                    return False
                self.sent.rows += 1
                self._note_order(row)
                if row.outcome is not None:
                    self._take_outcome(row)
                if self.sent.rows % 256 == 0:
                    self._sender.poll()
                    self._progress.tick(self._sender.counts, f"row {self.sent.rows:,}")
            while self._waiting and not self._stop.is_set():
                self._await(self._waiting[0][0])
        except Stopped:
            return False
        return not self._stop.is_set()

    def _note_order(self, row: Row) -> None:
        if self._speed is not None and row.created_at < self._newest_ms:
            if self.sent.late_rows == 0:
                print(f"row {row.number:,} is older than one before it: such rows are sent at once; sort the file by time", file=self._out)
            self.sent.late_rows += 1
        self._newest_ms = max(self._newest_ms, row.created_at)

    def _take_outcome(self, row: Row) -> None:
        if row.outcome_at > max(time.time_ns() // 1_000_000, row.created_at):
            self.sent.unborn += 1
            return
        if self._speed is None:
            self._send_outcome(row)
            return
        heapq.heappush(self._waiting, (row.outcome_at, row.number, row))
        if len(self._waiting) > WAITING_OUTCOMES:
            self.sent.early += 1
            self._send_outcome(heapq.heappop(self._waiting)[2])

    def _send_outcome(self, row: Row) -> None:
        assert row.outcome is not None
        self.sent.outcomes += self._sender.send(OUTCOMES, row.key, row.outcome)

    def _await(self, due_ms: int) -> None:
        """Wait until the replay's event time has reached `due_ms`; send the outcomes that are due on the way."""
        if self._speed is None:
            return
        if self._first_ms is None:
            self._first_ms = due_ms
        while not self._stop.is_set():
            event_ms = self._first_ms + (time.monotonic() - self._started) * 1000 * self._speed
            while self._waiting and self._waiting[0][0] <= event_ms:
                self._send_outcome(heapq.heappop(self._waiting)[2])
            if event_ms >= due_ms:
                return
            self._sender.poll()
            self._progress.tick(self._sender.counts, f"row {self.sent.rows:,}")
            self._stop.wait(min((due_ms - event_ms) / 1000 / self._speed, 0.05))
