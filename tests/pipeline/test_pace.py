"""Reading a backlog in step: who waits for whom."""

from __future__ import annotations

import multiprocessing

from pipeline.reading.pace import Pace, PaceBoard

NOW = 1_800_000_000_000
HOUR = 3_600_000
BATCH = 10_000
A, B = ("predictions", 0), ("outcomes", 0)


def test_of_two_that_have_a_backlog_the_one_ahead_waits() -> None:
    pace = Pace(lambda: NOW, BATCH, PaceBoard([A, B]))
    pace.note(A, BATCH, NOW - 3 * HOUR)
    assert not pace.is_ahead(A)
    pace.note(B, BATCH, NOW - 2 * HOUR)
    assert (pace.is_ahead(A), pace.is_ahead(B)) == (False, True)
    pace.note(A, BATCH, NOW - 2 * HOUR - 30_000)
    assert not pace.is_ahead(B)


def test_nobody_waits_for_a_partition_without_a_backlog() -> None:
    pace = Pace(lambda: NOW, BATCH, PaceBoard([A, B]))
    pace.note(A, BATCH, NOW - 3 * HOUR)
    pace.note(B, BATCH, NOW - 2 * HOUR)
    for messages, newest in ((10, NOW - 3 * HOUR), (0, None)):
        pace.note(A, messages, newest)
        assert not pace.is_ahead(B)


def test_events_of_this_minute_never_wait_for_old_ones() -> None:
    pace = Pace(lambda: NOW, BATCH, PaceBoard([A, B]))
    pace.note(A, BATCH, NOW - 30_000)
    pace.note(B, BATCH, NOW - 7 * 24 * HOUR)
    assert not pace.is_ahead(A)


def _note(board: PaceBoard) -> None:
    Pace(lambda: NOW, BATCH, board).note(B, BATCH, NOW - 2 * HOUR)


def test_partitions_of_other_processes_are_waited_for() -> None:
    board = PaceBoard([A, B])
    mine = Pace(lambda: NOW, BATCH, board)
    mine.note(A, BATCH, NOW - HOUR)
    assert not mine.is_ahead(A)
    other = multiprocessing.get_context("spawn").Process(target=_note, args=(board,))
    other.start()
    other.join(30)
    assert mine.is_ahead(A)
