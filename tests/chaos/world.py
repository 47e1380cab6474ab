"""What the chaos acts on: one home's pipeline with the load that runs into it, and the Kafka beneath."""

from __future__ import annotations

import os
import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions

from control.broker.files import BrokerFiles, BrokerState, read_state
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import METRICS
from tests.chaos.faulty import CLOCK, DEATH
from tests.oracle.records import Record
from tests.oracle.system import Feeding, Log, PipelineProcess, end_offset, newest_change
from tests.waiting import slowness, wait_until

TOML = """
[pipeline]
export_interval = "1s"
"""
ANSWER_S = 60.0
"""So long nothing may move."""
LEAVES_WITHIN_S = 5.0
_TRIES = 5
_MOVE_AWAY = re.compile(r"tower: (.+?) (?:cannot be|is damaged).* move (?:it|the file) away")


class World:
    """A pipeline on `home`, fed with `first`, and with `reserve` once the topics have the partitions for it. Use it in a `with` statement.

    `still_s` is the shortest and the longest time that something is held still.
    """

    def __init__(
        self,
        home: Path,
        broker_home: Path,
        kafka: KafkaSettings,
        rng: random.Random,
        records: list[Record],
        partitions: int,
        still_s: tuple[float, float],
    ) -> None:
        self.home = home
        self.kafka = kafka
        self.rng = rng
        self.still_s = still_s
        self.processes = 1
        self.restarts: Counter[str] = Counter()
        self.admin = AdminClient(admin_config(kafka))
        self._broker = BrokerFiles(broker_home.resolve())
        self._clock = home.parent / "clock"
        self._marks = 0
        self._feeding = Feeding(Log(kafka), [record for record in records if record.partition < partitions])
        self._reserve = [record for record in records if record.partition >= partitions]
        self._pipeline: PipelineProcess | None = None

    def __enter__(self) -> World:
        self._feeding.__enter__()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pipeline is not None:
            self._pipeline.kill()
        broker = self.broker()
        with suppress(psutil.NoSuchProcess):
            psutil.Process(broker.jvm_pid).resume()
        self._feeding.__exit__(kind, error, trace)

    @property
    def pipeline(self) -> PipelineProcess:
        """The pipeline's process as it was started last."""
        assert self._pipeline is not None
        return self._pipeline

    def start(self, *more: str, death: tuple[str, int] | None = None) -> None:
        """Start the pipeline, with `more` flags; with `death` = (point, passage) it dies there."""
        extra = {CLOCK: str(self._clock)}
        if death is not None:
            self._marks += 1
            extra[DEATH] = f"{death[0]}:{death[1]}:{self.home.parent / f'died-{self._marks}'}"
        flags = ("--processes", str(self.processes)) if self.processes > 1 else ()
        self._pipeline = PipelineProcess(self.home, self.kafka, *flags, *more, toml=TOML, module="tests.chaos.faulty", extra=extra)

    def keep_running(self) -> None:
        """Do what a supervisor does: start again what has ended."""
        if self.pipeline.exit_code is not None:
            self._see_why_it_ended()
            self.start()

    def _see_why_it_ended(self) -> None:
        """Hold an end by itself to one line that says why, and do what an operator does who reads there to move something away."""
        code = self.pipeline.exit_code
        if code is not None and code < 0:
            self.restarts["killed"] += 1
            return
        assert code == 1, f"exit code {code}:\n{self.pipeline.output()}"
        last = self.pipeline.output().splitlines()[-1]
        assert last.startswith("tower: "), self.pipeline.output()
        assert " - " in last, f"it does not say how to mend: {last}"
        damaged = _MOVE_AWAY.match(last)
        self.restarts["damaged, and moved away" if damaged else "ended with its reason"] += 1
        if damaged:
            self._marks += 1
            Path(damaged[1]).rename(self.home.parent / f"moved-away-{self._marks}")

    def let_load_in(self, share: float) -> None:
        """Let a share of all events go on their way."""
        self._feeding.allow(share)

    def see_it_hold_the_home(self) -> None:
        """Wait until the pipeline is so far in its start that it holds its home."""
        lock = self.home / "run" / "pipeline.lock"

        def holds() -> bool:
            self.keep_running()
            return lock.exists() and lock.read_text() == str(self.pipeline.pid)

        wait_until(holds, "the pipeline holds its home", ANSWER_S, moves=self._moves)

    def see_it_publish(self) -> None:
        """Wait until `tower.metrics` grows: it has recovered from what was done to it."""
        before: int | None = None

        def grows() -> bool:
            nonlocal before
            self.keep_running()
            now = self._published()
            if before is None:
                before = now
            return now is not None and before is not None and now > before

        wait_until(grows, "the pipeline publishes again", ANSWER_S, moves=self._moves)

    def _moves(self) -> object:
        """Return what is different as long as the pipeline works, or is started again, or Kafka is."""
        return newest_change(self.home), newest_change(self._broker.state.parent), self.restarts.total()

    def _published(self) -> int | None:
        """Return how many messages there have been on `tower.metrics`; None while Kafka is not ready to say."""
        try:
            return end_offset(self.kafka, METRICS)
        except KafkaException:
            return None

    def members(self) -> list[psutil.Process]:
        """Return the processes that do the work: the members of a cluster or the only one, and those that read for them."""
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(self.pipeline.pid)
            found = [child for child in started.children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]
            return found if self.processes > 1 else [started, *found]
        return []

    def stop(self) -> None:
        """Stop the pipeline as an operator does."""
        for _ in range(_TRIES):
            self.see_it_hold_the_home()
            with suppress(ProcessLookupError):
                os.kill(self.pipeline.pid, signal.SIGTERM)
            assert not self.pipeline.runs_for(LEAVES_WITHIN_S * slowness()), f"it does not leave:\n{self.pipeline.output()}"
            if self.pipeline.exit_code == 0:
                return
            self.keep_running()
        pytest.fail(f"{_TRIES} times it did not end with 0:\n{self.pipeline.output()}")

    def power_cut(self) -> None:
        """Kill all of the pipeline at once."""
        self.pipeline.kill()

    def hold_still(self, processes: list[psutil.Process]) -> float:
        """Stop processes as a debugger or a paused virtual machine does, for some seconds."""
        seconds = self.rng.uniform(*self.still_s)
        for one in processes:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        self.pipeline.runs_for(seconds)
        for one in processes:
            with suppress(psutil.NoSuchProcess):
                one.resume()
        return seconds

    def set_clock(self, offset_ms: int) -> None:
        """Set the pipeline's wall clock, as it runs."""
        beside = self._clock.with_suffix(".new")
        beside.write_text(str(offset_ms))
        beside.replace(self._clock)

    def broker(self) -> BrokerState:
        """Return what the embedded Kafka's keeper says."""
        state = read_state(self._broker.state)
        assert state is not None
        return state

    def broker_process(self) -> psutil.Process:
        """Return Kafka's own process, waiting for one that is just being started."""

        def there() -> bool:
            return self.broker().status == "listening" and psutil.pid_exists(self.broker().jvm_pid)

        wait_until(there, "Kafka is there", ANSWER_S)
        return psutil.Process(self.broker().jvm_pid)

    def ask_kafka(self, question: Callable[[], Future[None]], unless: Callable[[], bool] = lambda: False) -> None:
        """Ask until Kafka, which may just be starting, does it; an answer may get lost, so that it need not be asked again: `unless`."""

        said = ""

        def done() -> bool:
            nonlocal said
            try:
                if not unless():
                    question().result()
            except KafkaException as error:
                said = str(error)
                return False
            return True

        wait_until(done, lambda: f"Kafka does what it is asked; it is {self.broker().status}, and said: {said}", ANSWER_S)

    def partitions(self) -> Mapping[str, int]:
        """Return how many partitions each topic has."""
        return {name: len(topic.partitions) for name, topic in self.admin.list_topics(timeout=ANSWER_S).topics.items()}

    def add_partition(self, topic: str) -> int:
        """Add a partition to a topic, and send it the events that were kept back for it; return its number."""
        number = self.partitions()[topic]
        self.ask_kafka(
            lambda: self.admin.create_partitions([NewPartitions(topic, number + 1)])[topic],
            unless=lambda: self.partitions()[topic] > number,
        )
        wait_until(lambda: self.partitions()[topic] > number, "the partition is there")
        mine = [record for record in self._reserve if (record.topic, record.partition) == (topic, number)]
        self._reserve = [record for record in self._reserve if record not in mine]
        Log(self.kafka).write(mine)
        return number

    def come_to_rest(self) -> None:
        """Let all events in, and the pipeline work them off in peace."""
        for topic, partition in sorted({(record.topic, record.partition) for record in self._reserve}):
            assert self.add_partition(topic) == partition
        self._feeding.__exit__(None, None, None)
        self.stop()
        for _ in range(_TRIES):
            self.start("--until-caught-up")
            self.pipeline.wait()
            if self.pipeline.exit_code == 0:
                return
            self._see_why_it_ended()
        pytest.fail(f"{_TRIES} times it did not end with 0:\n{self.pipeline.output()}")
