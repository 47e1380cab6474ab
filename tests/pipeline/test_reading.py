"""The reading process: what it hands over, how it ends, and what happens when it dies."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import Pipe
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Event as Flag

import psutil
import pytest
from confluent_kafka import Producer

from pipeline.columns import Progress, unpack
from pipeline.intake import DeadLetter
from pipeline.reading import pipe
from pipeline.reading.pace import PaceBoard
from pipeline.reading.pipe import Inlet
from pipeline.reading.process import Read, ReadJob
from pipeline.reading.source import KafkaSource, ReadingPart
from pipeline.settings import PipelineSettings
from pipeline.spawning import start_quietly
from pipeline.watermark import BEGINNING
from schemas.errors import LogTruncated, TowerError
from schemas.kafka import KafkaSettings, producer_config
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.pipeline.events import encoded, outcome, prediction
from tests.pipeline.poisoned import POISON, serve_dying_in_turn, serve_poisoned
from tests.pipeline.running import now_ms
from tests.waiting import slowness

Topics = Callable[[int], KafkaSettings]
DEADLINE_S = 30.0
SHARDS = 2


def send(kafka: KafkaSettings, topic: str, partition: int, values: Sequence[bytes]) -> None:
    producer = Producer(producer_config(kafka))
    for value in values:
        producer.produce(topic, value, "key", partition)
    assert producer.flush(10) == 0


def predictions(count: int, first: int = 0) -> list[bytes]:
    return [encoded(prediction(prediction_id=f"p{number}", created_at=now_ms())) for number in range(first, first + count)]


class Part:
    """The part of one worker, read by the test."""

    def __init__(
        self,
        job: ReadJob,
        *,
        worker: int = 0,
        workers: int = 1,
        may_end: Callable[[], bool] = lambda: True,
        may_send: Callable[[int, int], bool] = lambda _worker, _sent: True,
    ) -> None:
        self.stopping = Flag()
        self.failures: list[Exception] = []
        source = KafkaSource(job, self.stopping, self.failures.append, may_end, may_send=may_send)
        self.part: ReadingPart = source.build("read", worker, workers)
        self.found: list[Read] = []

    def until(self, enough: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE_S * slowness()
        while not enough():
            assert time.monotonic() < end, self.found[-2:]
            self.found += self.part.next_batch()

    def progress(self, topic: str = PREDICTIONS, partition: int = 0) -> list[Progress]:
        all_ = [progress for read in self.found for progress in read.progress]
        return [found for found in all_ if (found.topic, found.partition) == (topic, partition)]

    def positions(self) -> set[tuple[str, int]]:
        """Return what has been heard of."""
        return {(progress.topic, progress.partition) for read in self.found for progress in read.progress}

    def rows(self) -> int:
        """Return how many predictions have come, in the slices of all shards."""
        parts = [part for read in self.found for packed in read.packed for part in unpack(packed)]
        return sum(len(part.predictions) for part in parts if part.predictions is not None)

    def dead(self) -> list[DeadLetter]:
        return [letter for read in self.found for letter in read.dead]

    def close(self) -> None:
        self.part.close()


def job_of(kafka: KafkaSettings, partitions: int = 1, end: int | None = None, **settings: int) -> ReadJob:
    start = {(topic, partition): 0 for topic in (PREDICTIONS, OUTCOMES) for partition in range(partitions)}
    ends = {} if end is None else {(PREDICTIONS, 0): end, (OUTCOMES, 0): 0}
    return ReadJob(kafka, replace(PipelineSettings(), idle_after_ms=300, **settings), SHARDS, BEGINNING, PaceBoard(start), start, ends)


@pytest.fixture
def one(topics: Topics) -> KafkaSettings:
    return topics(1)


@pytest.fixture
def part(one: KafkaSettings) -> Iterator[Part]:
    with closing(Part(job_of(one, batch_messages=40))) as found:
        yield found


def test_workers_share_the_partitions_of_both_topics(topics: Topics) -> None:
    kafka = topics(2)
    for topic, event in ((PREDICTIONS, prediction(created_at=now_ms())), (OUTCOMES, outcome(created_at=now_ms()))):
        for number in range(2):
            send(kafka, topic, number, [encoded(event)])
    seen: list[set[tuple[str, int]]] = []
    for worker in range(2):
        with closing(Part(job_of(kafka, 2), worker=worker, workers=2)) as part:
            part.until(lambda part=part: part.rows() == 1)
            part.until(lambda part=part: len(part.positions()) == 2)
            seen.append(part.positions())
    assert sorted(seen[0] | seen[1]) == [(OUTCOMES, 0), (OUTCOMES, 1), (PREDICTIONS, 0), (PREDICTIONS, 1)]
    assert not seen[0] & seen[1]


def test_each_shard_gets_its_rows_and_what_is_no_event_comes_with_its_reason(part: Part, one: KafkaSettings) -> None:
    send(one, PREDICTIONS, 0, [*predictions(50), b"no event"])
    part.until(lambda: part.rows() == 50 and bool(part.dead()))
    assert all({one.shard for one in mine} == {shard} for read in part.found for shard, mine in enumerate(map(unpack, read.packed)))
    (letter,) = part.dead()
    assert (letter.offset, letter.key, letter.value, letter.rejection.path) == (50, b"key", b"no event", "$")
    assert letter.rejection.reason == "$: invalid JSON: invalid character (byte 4)"


def test_one_that_is_killed_or_held_is_started_again_and_nothing_is_missed_or_read_twice(
    part: Part, one: KafkaSettings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(one, PREDICTIONS, 0, predictions(400))
    part.until(lambda: part.rows() >= 80)
    part.part._process._process.kill()
    part.until(lambda: part.rows() >= 400)
    send(one, PREDICTIONS, 0, predictions(10, 400))
    part.until(lambda: part.rows() >= 410)
    psutil.Process(part.part._process._process.pid).suspend()
    send(one, PREDICTIONS, 0, predictions(10, 410))
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.reading.source._SILENT_S", 0.2)
        part.until(lambda: "the reading process has been silent for 0 s; ending it" in caplog.text)
    part.until(lambda: part.rows() >= 420)
    progress = [found for found in part.progress() if found.end > found.start]
    assert [found.start for found in progress] == [0, *(found.end for found in progress[:-1])]
    assert (part.rows(), part.failures) == (420, [])
    assert "the reading process ended (-9); starting it again" in caplog.text


def test_one_that_cannot_be_started_for_a_moment_is_started_later(part: Part, one: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    send(one, PREDICTIONS, 0, predictions(10))
    part.until(lambda: part.rows() == 10)
    refusals = [OSError(errno.EAGAIN, "no process is left"), OSError(errno.ENOMEM, "no memory is left")]

    def start(processes: Sequence[SpawnProcess]) -> None:
        if refusals:
            raise refusals.pop()
        start_quietly(processes)

    monkeypatch.setattr("pipeline.reading.source.start_quietly", start)
    send(one, PREDICTIONS, 0, predictions(10, 10))
    part.part._process._process.kill()
    part.until(lambda: part.rows() == 20 and not refusals)
    assert part.failures == []


def test_one_that_dies_again_and_again_at_the_same_events_ends_with_their_place(
    topics: Topics, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = topics(2)
    monkeypatch.setattr("pipeline.reading.source.serve", serve_poisoned)
    with closing(Part(job_of(kafka, 2))) as part:
        send(kafka, PREDICTIONS, 1, predictions(10))
        part.until(lambda: part.rows() == 10)
        send(kafka, PREDICTIONS, 1, [POISON])
        with pytest.raises(TowerError, match=r"ended 3 times \(-9\) at the events of predictions/1 from offset 10 on"):
            part.until(lambda: False)  # meanwhile the other partitions tell that they are there
    assert caplog.text.count("starting it again") == 2


def test_one_that_dies_at_certain_events_of_each_partition_ends_whichever_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.reading.source.serve", serve_dying_in_turn)
    monkeypatch.setattr("pipeline.reading.source._FIRST_PAUSE_S", 0.0)
    deaths = tmp_path / "deaths"
    deaths.touch()
    job = job_of(KafkaSettings(bootstrap_servers=str(deaths)))
    again_and_again = pytest.raises(TowerError, match=r"ended 3 times \(-9\) at the events of outcomes/0 from offset 0 on")
    with closing(Part(job)) as part, again_and_again:
        part.until(lambda: deaths.stat().st_size > 6)
    assert deaths.read_bytes() == b"....."


def test_no_clock_makes_it_wait(part: Part) -> None:
    began = time.monotonic()
    for _ in range(20):
        assert part.part.next_awake() == datetime(1970, 1, 1, tzinfo=UTC)  # past, whatever the clock is set to
        part.part.next_batch()
    assert time.monotonic() - began >= 0.05  # and yet it does not spin


def test_what_the_shards_have_no_room_for_is_not_taken(one: KafkaSettings) -> None:
    send(one, PREDICTIONS, 0, predictions(400))
    room = [2]
    with closing(Part(job_of(one, batch_messages=40), may_send=lambda _, sent: sent < room[0])) as part:
        part.until(lambda: len(part.found) == 2)
        for _ in range(50):
            assert part.part.next_batch() == []
            assert part.part.next_awake() is not None
        room[0] = 1000
        part.until(lambda: part.rows() == 400)


def test_one_that_is_told_to_stop_stops_at_once_and_leaves_no_process(part: Part) -> None:
    process = psutil.Process(part.part._process._process.pid)
    assert part.part.next_batch() == []
    part.stopping.set()
    with pytest.raises(StopIteration):
        part.part.next_batch()
    part.close()
    assert not process.is_running()


def test_what_has_come_of_a_message_is_kept_and_nobody_waits_for_the_rest() -> None:
    ours, theirs = Pipe(duplex=False)
    inlet = Inlet(ours)
    with closing(inlet):
        os.write(theirs.fileno(), (3).to_bytes(8, "big") + b"a")
        assert (inlet.take(), inlet.take()) == (None, None)
        os.write(theirs.fileno(), b"bc")
        pipe.send(theirs, b"")
        assert (inlet.take(), inlet.take(), inlet.take()) == (b"abc", b"", None)
        os.write(theirs.fileno(), bytes(5))
        theirs.close()
        with pytest.raises(EOFError):
            inlet.take()


def test_at_the_ends_it_waits_for_what_the_shards_have_to_tell(one: KafkaSettings) -> None:
    send(one, PREDICTIONS, 0, predictions(3))
    telling = {0}
    with closing(Part(job_of(one, end=3), may_end=lambda: not telling)) as part:
        part.until(lambda: part.part._process.done)
        assert (part.rows(), part.progress()[-1].idle) == (3, True)
        assert part.part.next_batch() == []
        assert part.part.next_awake() is not None
        telling.clear()
        with pytest.raises(StopIteration):
            part.part.next_batch()


def test_its_error_is_raised_here_with_its_mend(one: KafkaSettings) -> None:
    job = job_of(one)
    with closing(Part(replace(job, start={(PREDICTIONS, 0): 5}))) as part:
        with pytest.raises(LogTruncated, match="was read up to offset 5, but now ends at 0") as raised:
            part.until(lambda: False)
        assert raised.value.mend == "start again: it says what to do"
        assert part.failures == [raised.value]
