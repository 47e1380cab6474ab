"""When the publisher publishes, and what waits meanwhile."""

from __future__ import annotations

from pipeline.publish.rhythm import LONG, SHORT, Rhythm
from tests.pipeline.events import NOW

LATENESS_MS = 60_000
AN_HOUR_MS = 3_600_000


def test_short_windows_are_published_each_time_and_long_ones_once_a_second() -> None:
    rhythm = Rhythm(0.25)
    waiting = []
    for step in range(9):
        now_s = 100 + step * 0.25
        assert rhythm.due(now_s)
        waiting.append(rhythm.begin(now_s, NOW + step * 250, 10, LATENESS_MS))
        rhythm.end(now_s + 0.05)
        assert not rhythm.due(now_s + 0.2)
    assert waiting == [frozenset(), *[LONG] * 3] * 2 + [frozenset()]


def test_publishing_takes_at_most_two_thirds_of_the_time() -> None:
    rhythm = Rhythm(0.25)
    rhythm.begin(100, NOW, 10, LATENESS_MS)
    rhythm.end(101)
    assert not rhythm.due(101.4)
    assert rhythm.due(101.5)


def test_while_a_backlog_rushes_by_short_windows_wait_too_and_all_comes_less_often() -> None:
    rhythm = Rhythm(0.25)
    assert rhythm.begin(100, NOW - AN_HOUR_MS, AN_HOUR_MS, LATENESS_MS) == frozenset()
    rhythm.end(100.1)
    assert not rhythm.due(101.4)
    assert rhythm.begin(101.5, NOW - AN_HOUR_MS // 2, AN_HOUR_MS // 2, LATENESS_MS) == SHORT
    rhythm.end(101.6)
    assert rhythm.begin(103, NOW - AN_HOUR_MS // 2 + 5_000, AN_HOUR_MS // 2, LATENESS_MS) == frozenset()


def test_the_first_event_after_a_quiet_hour_is_published_at_once() -> None:
    rhythm = Rhythm(0.25)
    rhythm.begin(100, NOW - AN_HOUR_MS, 0, LATENESS_MS)
    rhythm.end(100.1)
    assert rhythm.begin(101, NOW, 10, LATENESS_MS) == frozenset()
