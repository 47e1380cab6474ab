from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from typing import cast

import pytest

from loadgen.app import finish
from loadgen.progress import Progress
from loadgen.replay import paced
from loadgen.replay.events import Row
from loadgen.replay.paced import PacedReplay
from loadgen.sending import Counts, Sender
from schemas.errors import BrokerUnavailable
from schemas.topics import OUTCOMES

MAY_2024_MS = 1_714_560_000_000


class _Kafka:
    """A sender that notes what it is given, and acknowledges all but `lost` events; `stop` is set after `until` events."""

    def __init__(self, lost: int = 0, stop: threading.Event | None = None, until: int = -1) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self._lost, self._stop, self._until = lost, stop, until

    @property
    def counts(self) -> Counts:
        return Counts(len(self.sent), len(self.sent) - self._lost, 0)

    def send(self, topic: str, key: bytes, value: bytes) -> bool:
        self.sent.append((topic, key))
        if self._stop is not None and len(self.sent) == self._until:
            self._stop.set()
        return True

    def poll(self) -> None:
        """Do nothing."""

    def finish(self) -> Counts:
        return self.counts

    def report(self) -> str:
        return "the counts"


def _row(number: int, created_at: int, delay_ms: int = 0) -> Row:
    return Row(number, b"%d" % number, created_at, b"{}", created_at + delay_ms, b"{}")


def _replay(kafka: _Kafka, speed: float | None, stop: threading.Event, out: io.StringIO) -> PacedReplay:
    return PacedReplay(cast("Sender", kafka), speed, stop, Progress(out, time.monotonic), out)


def _rows(count: int) -> Iterator[Row]:
    return (_row(number, MAY_2024_MS) for number in range(1, count + 1))


def test_a_replay_that_is_stopped_is_not_done_and_knows_how_far_it_came() -> None:
    stop = threading.Event()
    run = _replay(_Kafka(stop=stop, until=7), None, stop, io.StringIO())
    assert run.send_all(_rows(100)) is False
    assert (run.sent.rows, run.sent.outcomes) == (4, 4)


def test_a_replay_that_is_not_stopped_is_done() -> None:
    run = _replay(_Kafka(), None, threading.Event(), io.StringIO())
    assert run.send_all(_rows(100)) is True
    assert (run.sent.rows, run.sent.outcomes) == (100, 100)


def test_what_is_not_acknowledged_is_an_error_also_after_a_stop() -> None:
    kafka = _Kafka(lost=2)
    kafka.sent = [(OUTCOMES, b"")] * 5
    with pytest.raises(BrokerUnavailable, match="2 events were not acknowledged"):
        finish(cast("Sender", kafka), io.StringIO())


def test_rows_with_the_newest_first_are_told_and_their_outcomes_wait() -> None:
    kafka, out = _Kafka(), io.StringIO()
    run = _replay(kafka, 10.0, threading.Event(), out)
    rows = [_row(number, MAY_2024_MS - number * 100, 1_500) for number in range(1, 5)]
    assert run.send_all(iter(rows)) is True
    assert "row 2 is older than one before it" in out.getvalue()
    assert run.sent.notes() == ["3 rows were older than one before them and were sent at once"]
    assert [key for topic, key in kafka.sent if topic == OUTCOMES] == [b"4", b"3", b"2", b"1"]


def test_outcomes_beyond_what_waits_in_memory_are_sent_early_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced, "WAITING_OUTCOMES", 3)
    run = _replay(_Kafka(), 1_000.0, threading.Event(), io.StringIO())
    assert run.send_all(_row(number, MAY_2024_MS, 10_000) for number in range(1, 6)) is True
    assert run.sent.notes() == ["2 outcomes were sent before their time: no more than 3 wait"]
