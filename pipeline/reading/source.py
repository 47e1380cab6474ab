"""The source of the dataflow: what the reading process hands over. Bytewax costs some 25 us an item, so an item is a batch."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from threading import Event as Flag

from bytewax.inputs import DynamicSource, StatelessSourcePartition

from pipeline.reading.mark import WorkMark
from pipeline.reading.pace import Position
from pipeline.reading.pipe import Inlet
from pipeline.reading.process import Read, ReadJob, serve
from pipeline.spawning import start_quietly
from schemas.errors import TowerError
from schemas.topics import PREDICTIONS

log = logging.getLogger("tower.pipeline")
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_QUIET_S = 0.005
_PIPE_BYTES = 1 << 20
"""About one batch: the next is decoded while this one waits."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_TRIES = 3
"""One that has died so often at the same events would do so for ever."""
_END_S = 5.0
_SILENT_S = 60.0
"""One that lives speaks five times a second, whatever Kafka does; one that is silent for so long is stopped, or stuck."""
_LOOK_S = 1.0
_HELD_S = 2.0
"""One that is silent for so long no longer sets the pace of the others."""


class ReadingProcess:
    """A process that reads, and the pipe through which it hands over.

    One that dies, or no longer speaks, is started again at the offset after what has come; not for ever, where the same events end it.
    """

    def __init__(self, job: ReadJob, member: int | None) -> None:
        self._job = job
        self._member = member
        self._next = dict(job.start)
        self._newest = job.newest
        self._mark = WorkMark(job.start)
        self._deaths: Counter[tuple[Position, int]] = Counter()
        self._pause_s = _FIRST_PAUSE_S
        self._start_at_s = self._silent_s = 0.0
        self._looked_s = time.monotonic()
        self.done = False
        """Whether all has come that there is."""
        self._start()

    def read(self) -> Read | None:
        """Return what has come next, without waiting for it. Raises the error that reading has ended with, or keeps ending with."""
        if self._start_at_s and time.monotonic() >= self._start_at_s:
            self._start_again()
        if self.done or self._start_at_s:
            return None
        try:
            message = self._inlet.take()
        except EOFError:  # killed, perhaps in the middle of a batch
            self._start_later()
            return None
        if message is None:
            self._notice_silence()
            return None
        self._silent_s = 0.0
        found = pickle.loads(message)
        if isinstance(found, Exception):
            raise found
        if found is None:
            self.done = True
            return None
        for progress in found.progress:
            self._next[progress.topic, progress.partition] = progress.end
            if progress.topic == PREDICTIONS and progress.newest is not None:
                self._newest = max(self._newest, progress.newest)
        self._pause_s = _FIRST_PAUSE_S
        read: Read = found
        return read

    def close(self) -> None:
        """End it: it holds nothing that could be lost."""
        self._process.kill()
        self._process.join(_END_S)
        self._inlet.close()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe(duplex=False)
        if sys.platform == "linux":
            with suppress(OSError):  # a limit of the system for all pipes of a user: a small one does, too
                fcntl.fcntl(theirs.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        job = replace(self._job, start=dict(self._next), newest=self._newest)
        process = spawn.Process(target=serve, args=(job, self._mark, theirs, self._member), name="tower-reading", daemon=True)
        start_quietly([process])
        theirs.close()
        self._process, self._inlet = process, Inlet(ours)
        self._start_at_s = self._silent_s = 0.0
        self._looked_s = time.monotonic()

    def _start_again(self) -> None:
        try:
            self._start()
        except OSError as error:  # what has ended the one before, such as memory that is short, may last a moment longer
            log.warning("the reading process cannot be started (%s); trying again in %.1f s", error, self._pause_s)
            self._pause()

    def _pause(self) -> None:
        self._start_at_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _notice_silence(self) -> None:
        """End the process when it has been silent for long; the time in which nobody looked does not count."""
        now = time.monotonic()
        self._silent_s += min(now - self._looked_s, _LOOK_S)
        self._looked_s = now
        if self._silent_s > _HELD_S:
            self._hold_up_nobody()
        if self._silent_s > _SILENT_S:
            log.warning("the reading process has been silent for %.0f s; ending it", self._silent_s)
            self._process.kill()
            self._start_later()

    def _hold_up_nobody(self) -> None:
        """Have the partitions of other processes wait for these no longer."""
        for position in self._next:
            self._job.board.set(position, None)

    def _start_later(self) -> None:
        self._process.join(_LOOK_S)
        if self._process.is_alive():  # its end of the pipe is closed, and something holds it up
            self._process.kill()
            self._process.join(_END_S)
        self._inlet.close()
        self._hold_up_nobody()
        self._give_up_at_the_same_events()
        log.warning("the reading process ended (%s); starting it again in %.1f s", self._process.exitcode, self._pause_s)
        self._pause()

    def _give_up_at_the_same_events(self) -> None:
        at = self._mark.get()
        self._mark.clear()
        if at is None:
            return
        self._deaths[at] += 1  # be it at others in between: which partition comes first after a start is chance
        if self._deaths[at] >= _TRIES:
            (topic, partition), offset = at
            raise TowerError(
                f"the reading process ended {self._deaths[at]} times ({self._process.exitcode}) at the events of {topic}/{partition} from "
                f"offset {offset} on",
                "see whether memory is short; if it is not, no event may do that: please report those events",
            )


class ReadingPart(StatelessSourcePartition[Read]):
    """Yields what a reading process hands over while it `may_send` so much; told to stop or caught up, it ends."""

    def __init__(
        self,
        process: ReadingProcess,
        stopping: Flag,
        failed: Callable[[Exception], None],
        may_end: Callable[[], bool],
        may_send: Callable[[int], bool],
    ) -> None:
        self._process = process
        self._may_send = may_send
        self._sent = 0
        self._stopping = stopping
        self._failed = failed
        self._may_end = may_end

    def next_batch(self) -> list[Read]:
        """Return what has come; raises StopIteration when told to stop, or when all has been read and the run may end."""
        if self._stopping.is_set() or (self._process.done and self._may_end()):
            raise StopIteration
        try:
            read = self._process.read() if self._may_send(self._sent) else None
        except Exception as error:
            self._failed(error)
            raise
        if read is None:
            time.sleep(_QUIET_S)
            return []
        self._sent += 1
        return [read]

    def next_awake(self) -> datetime | None:
        """Say that it is time, whatever the clock says: Bytewax would wait for a time to come as much longer as the clock is set back.

        So `next_batch` itself waits a moment when there is nothing.
        """
        return _LONG_AGO

    def close(self) -> None:
        """End the process."""
        self._process.close()


class KafkaSource(DynamicSource[Read]):
    """All partitions of both event topics: each worker has a reading process, and each of these its share of the partitions.

    `stopping` ends it, `failed` is told of errors; a run that reads to the ends waits there until it `may_end`. `opened` is told of what
    must be closed when the run fails: Bytewax does not do that then. `may_send` says whether a worker that has sent so much may send more.
    """

    def __init__(
        self,
        job: ReadJob,
        stopping: Flag,
        failed: Callable[[Exception], None],
        may_end: Callable[[], bool] = lambda: True,
        opened: Callable[[ReadingProcess], object] = lambda _: None,
        may_send: Callable[[int, int], bool] = lambda _worker, _sent: True,
    ) -> None:
        self._may_send = may_send
        self._job = job
        self._opened = opened
        self._stopping = stopping
        self._failed = failed
        self._may_end = may_end

    def build(self, step_id: str, worker_index: int, worker_count: int) -> ReadingPart:
        """Return the part of a worker."""
        mine = sorted(self._job.start)[worker_index::worker_count]
        job = replace(self._job, start={position: self._job.start[position] for position in mine})
        try:
            process = ReadingProcess(job, worker_index if worker_count > 1 else None)
        except Exception as error:
            self._failed(error)
            raise
        self._opened(process)
        return ReadingPart(process, self._stopping, self._failed, self._may_end, partial(self._may_send, worker_index))
