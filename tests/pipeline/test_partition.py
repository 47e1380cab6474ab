"""Reading a partition: batches with their offsets, when it is idle, and what is said when Kafka has dropped events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event as Flag

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.intake import RawBatch
from pipeline.reading.pace import Pace, PaceBoard
from pipeline.reading.partition import PartitionReader
from pipeline.reading.partition import Reading as ReadingSettings
from schemas.errors import LogTruncated
from schemas.kafka import KafkaSettings, producer_config
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.waiting import slowness

Topics = Callable[[int], KafkaSettings]
DEADLINE_S = 20.0


class Reading:
    """One partition of a topic, written to and read by the test."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka = kafka
        self._producer = Producer(producer_config(kafka))
        self._open: list[PartitionReader] = []

    def send(self, *values: bytes | None) -> None:
        """Produce messages to partition 0 of `predictions`."""
        for number, value in enumerate(values):
            self._producer.produce(PREDICTIONS, value, f"key-{number}", 0)
        assert self._producer.flush(10) == 0

    def reader(
        self,
        *,
        start: int = 0,
        end: int | None = None,
        idle_after_ms: int = 300,
        most: int = 10_000,
        loss: bool = False,
        pace: Pace | None = None,
    ) -> PartitionReader:
        """Return a reader of that partition."""
        found = PartitionReader(ReadingSettings(self.kafka, idle_after_ms, most, loss, pace=pace), (PREDICTIONS, 0), start, end)
        self._open.append(found)
        return found

    def close(self) -> None:
        """Let go of all readers."""
        for reader in self._open:
            reader.close()


@pytest.fixture
def reading(topics: Topics) -> Iterator[Reading]:
    found = Reading(topics(1))
    yield found
    found.close()


def until(reader: PartitionReader, enough: Callable[[list[RawBatch]], bool]) -> list[RawBatch]:
    """Read until what was read is enough."""
    found: list[RawBatch] = []
    end = time.monotonic() + DEADLINE_S
    while not enough(found):
        assert time.monotonic() < end, found[-3:]
        batch = reader.next_batch()
        found += [batch] if batch is not None else []
    return found


def messages(found: list[RawBatch]) -> int:
    return sum(len(batch.values) for batch in found)


def test_batches_follow_each_other_without_a_gap(reading: Reading) -> None:
    reading.send(*[f"{number}".encode() for number in range(500)])
    found = until(reading.reader(most=100), lambda found: messages(found) == 500)
    assert all(len(batch.values) <= 100 for batch in found)
    assert [batch.start for batch in found] == [0, *(batch.end for batch in found[:-1])]
    assert [offset for batch in found for offset in batch.offsets.tolist()] == list(range(500))
    assert [value for batch in found for value in batch.values] == [f"{number}".encode() for number in range(500)]
    keys = [batch.key_at(at) for batch in found for at in range(len(batch.values))]
    assert keys == [f"key-{number}".encode() for number in range(500)]


def test_a_tombstone_is_a_message_too(reading: Reading) -> None:
    reading.send(b"a", None)
    assert [value for batch in until(reading.reader(), lambda found: messages(found) == 2) for value in batch.values] == [b"a", None]


def test_a_partition_that_is_read_to_its_end_becomes_idle_and_wakes_again(reading: Reading) -> None:
    reading.send(b"a")
    reader = reading.reader()
    found = until(reader, lambda found: bool(found) and found[-1].idle)
    assert not any(batch.idle for batch in found if batch.values)
    for value in (b"b", b"c"):
        # What is sent now and the notice of the new end come back from one call to Kafka.
        reading.send(value)
        found = until(reader, lambda found: messages(found) == 1)
        assert not found[-1].idle
        until(reader, lambda found: bool(found) and found[-1].idle)


def test_the_notice_of_the_end_counts_though_it_comes_with_the_last_messages(reading: Reading) -> None:
    reading.send(*[b"x"] * 50)
    reader = reading.reader()
    # By now all messages and the notice lie in the consumer's queue together.
    time_is_up = Flag()
    time_is_up.wait(1.5)
    until(reader, lambda found: bool(found) and found[-1].idle)


def test_an_empty_partition_becomes_idle(reading: Reading) -> None:
    found = until(reading.reader(), lambda found: bool(found) and found[-1].idle)
    assert messages(found) == 0


def test_a_quiet_partition_says_five_times_a_second_that_it_is_there(reading: Reading) -> None:
    start = time.monotonic()
    found = until(reading.reader(), lambda found: len(found) >= 5)
    assert time.monotonic() - start < 5 * slowness()
    assert {(batch.start, batch.end) for batch in found} == {(0, 0)}


def test_a_run_that_ends_when_caught_up_reads_to_the_given_end(reading: Reading) -> None:
    reading.send(b"a", b"b", b"c")
    reader = reading.reader(end=3)
    found = until(reader, lambda found: bool(found) and found[-1].idle)
    assert (messages(found), found[-1].end, reader.done) == (3, 3, True)


def dropped(admin: AdminClient, offset: int) -> None:
    """Let Kafka drop what is before an offset, as its retention does."""
    admin.delete_records([TopicPartition(PREDICTIONS, 0, offset)])[TopicPartition(PREDICTIONS, 0)].result()


def test_events_that_were_dropped_unread_are_not_passed_over_in_silence(reading: Reading, admin: AdminClient) -> None:
    reading.send(*[b"x"] * 10)
    dropped(admin, 6)
    reader = reading.reader(start=2)
    with pytest.raises(LogTruncated, match=r"predictions/0: the events from offset 2 on were dropped .*accept_loss = true"):
        until(reader, lambda found: messages(found) > 0)


def test_a_loss_that_is_accepted_is_passed_over_also_while_running(
    reading: Reading, admin: AdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    reading.send(*[b"x"] * 10)
    dropped(admin, 6)
    found = until(reading.reader(start=2, loss=True), lambda found: messages(found) == 4)
    assert [offset for batch in found for offset in batch.offsets.tolist()] == [6, 7, 8, 9]
    assert "predictions/0: going on at 6; the events from 2 on were lost" in caplog.text


def test_a_topic_that_is_made_anew_while_it_is_read_is_told_whatever_is_accepted(reading: Reading) -> None:
    reading.send(b"x")
    with pytest.raises(LogTruncated, match=r"predictions/0 was read up to offset 5, but now ends at 1 - start again"):
        until(reading.reader(start=5, loss=True), lambda found: messages(found) > 0)


def test_a_kafka_that_goes_away_while_it_is_asked_what_it_dropped_is_asked_again(
    reading: Reading, admin: AdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading.send(*[b"x"] * 10)
    dropped(admin, 6)
    reader = reading.reader(start=2, loss=True)
    consumer = _OnceSilent(reader._consumer)
    monkeypatch.setattr(reader, "_consumer", consumer)
    found = until(reader, lambda found: messages(found) == 4)
    assert [offset for batch in found for offset in batch.offsets.tolist()] == [6, 7, 8, 9]
    assert consumer.asked == 2


class _OnceSilent:
    """A consumer whose first question for the offsets is not answered."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.asked = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._consumer, name)

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        self.asked += 1
        if self.asked == 1:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return self._consumer.get_watermark_offsets(place, timeout=timeout)


def test_a_partition_that_is_ahead_waits_but_not_for_ever(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.reading.partition._LONGEST_HOLD_S", 0.5)
    pace = Pace(lambda: 10**12, 20, PaceBoard([(PREDICTIONS, 0), (OUTCOMES, 0)]))
    reader = reading.reader(most=1, pace=pace)
    reading.send(b"1", b"2")
    until(reader, lambda found: messages(found) == 1)
    pace.note((PREDICTIONS, 0), 20, 10**9)
    pace.note((OUTCOMES, 0), 20, 0)
    held_s = time.monotonic()
    assert reader.next_batch() is None
    until(reader, lambda found: messages(found) == 1)
    assert time.monotonic() - held_s >= 0.3
