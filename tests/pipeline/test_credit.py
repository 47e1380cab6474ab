"""Flow control: a source sends what the shards have room for, and no more."""

from __future__ import annotations

import multiprocessing

from pipeline.reading.credit import Credit


def _take(credit: Credit, deliveries: int) -> None:
    for _ in range(deliveries):
        credit.take(worker=1, shard=2)


def test_a_worker_waits_for_the_slowest_shard_and_for_what_it_sent_itself() -> None:
    credit = Credit(workers=2, shards=3)
    assert [sent for sent in range(12) if credit.has_room(1, sent)] == [0, 1, 2, 3, 4, 5]
    for shard in (0, 1):
        credit.take(worker=1, shard=shard)
    credit.take(worker=0, shard=2)
    assert not credit.has_room(1, 6)
    credit.take(worker=1, shard=2)
    assert (credit.has_room(1, 6), credit.has_room(1, 7)) == (True, False)


def test_what_a_shard_in_another_process_takes_makes_room() -> None:
    credit = Credit(workers=2, shards=3)
    for shard in (0, 1):
        credit.take(worker=1, shard=shard)
    assert not credit.has_room(1, 6)
    other = multiprocessing.get_context("spawn").Process(target=_take, args=(credit, 1))
    other.start()
    other.join(30)
    assert credit.has_room(1, 6)


def test_however_many_workers_there_are_each_may_send_some_and_the_inbox_has_room_for_all() -> None:
    for workers in (1, 2, 5, 40):
        credit = Credit(workers, shards=1)
        each = sum(credit.has_room(workers - 1, sent) for sent in range(20))
        assert each >= 3
        assert credit.in_all == workers * each
