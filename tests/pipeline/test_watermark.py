"""How far event time has come: by the slowest partition that is not idle, and never back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.columns import Progress
from pipeline.watermark import BEGINNING, Watermark
from schemas.topics import OUTCOMES, PREDICTIONS


def watermark(*partitions: int) -> Watermark:
    return Watermark(PREDICTIONS, frozenset(partitions))


def read(partition: int, newest: int | None = None, *, idle: bool = False, topic: str = PREDICTIONS, events: int | None = None) -> Progress:
    return Progress(topic, partition, 0, (1 if newest is not None else 0) if events is None else events, newest, idle)


def test_it_is_the_newest_time_of_the_slowest_partition() -> None:
    mark = watermark(0, 1)
    for progress in (read(0, 500), read(1, 300), read(0, 900)):
        mark.advance(progress)
    assert (mark.value, mark.newest_event_time) == (300, 900)


def test_it_does_not_move_before_every_partition_has_been_read() -> None:
    mark = watermark(0, 1)
    mark.advance(read(0, 500))
    assert mark.value == BEGINNING
    mark.advance(read(1, 400))
    assert mark.value == 400


def test_an_idle_partition_does_not_hold_it_back_and_holds_again_once_it_is_read() -> None:
    mark = watermark(0, 1)
    mark.advance(read(0, 500))
    mark.advance(read(1, idle=True))
    assert mark.value == 500
    mark.advance(read(1, 450))
    mark.advance(read(0, 800))
    assert mark.value == 500
    mark.advance(read(1, 700))
    assert mark.value == 700


def test_when_all_are_idle_it_is_the_newest_of_all() -> None:
    mark = watermark(0, 1)
    for progress in (read(0, 500), read(1, 900), read(0, idle=True), read(1, idle=True)):
        mark.advance(progress)
    assert mark.value == 900


def test_idle_partitions_without_any_event_leave_it_at_the_beginning() -> None:
    mark = watermark(0)
    mark.advance(read(0, idle=True))
    assert (mark.value, mark.newest_event_time) == (BEGINNING, BEGINNING)


def test_messages_that_were_all_bad_wake_a_partition_without_a_time() -> None:
    mark = watermark(0, 1)
    for progress in (read(0, 500), read(1, idle=True), read(1, None, events=3), read(0, 900)):
        mark.advance(progress)
    assert mark.value == 500


def test_other_topics_do_not_move_it() -> None:
    mark = watermark(0)
    mark.advance(read(0, 500, topic=OUTCOMES))
    assert mark.value == BEGINNING


STEPS = st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(0, 1000), st.booleans()), max_size=25)


@given(STEPS)
def test_it_never_goes_back_and_is_never_ahead_of_the_newest_event(steps: list[tuple[int, int | None, bool]]) -> None:
    mark, before = watermark(0, 1, 2), BEGINNING
    for partition, newest, idle in steps:
        mark.advance(read(partition, newest, idle=idle))
        assert before <= mark.value <= max(mark.newest_event_time, before)
        before = mark.value


@given(STEPS, STEPS)
def test_after_a_restart_it_goes_on_where_it_was(
    first: list[tuple[int, int | None, bool]], second: list[tuple[int, int | None, bool]]
) -> None:
    lasting = watermark(0, 1, 2)
    for partition, newest, _ in first:
        lasting.advance(read(partition, newest))
    restarted = Watermark.restored(PREDICTIONS, frozenset({0, 1, 2}), lasting.stored())
    assert (restarted.value, restarted.newest_event_time) == (lasting.value, lasting.newest_event_time)
    for partition, newest, idle in second:
        lasting.advance(read(partition, newest, idle=idle))
        restarted.advance(read(partition, newest, idle=idle))
    assert restarted.value == lasting.value


def test_a_partition_that_was_added_while_down_holds_it_but_does_not_move_it_back() -> None:
    mark = watermark(0)
    mark.advance(read(0, 500))
    wider = Watermark.restored(PREDICTIONS, frozenset({0, 1}), mark.stored())
    wider.advance(read(0, 900))
    assert wider.value == 500
