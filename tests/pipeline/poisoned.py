"""A reading process that dies over certain events, as over a fault in what decodes them, or when memory is short."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from pipeline.intake import EventReader, Intake, RawBatch
from pipeline.reading.mark import WorkMark
from pipeline.reading.process import ReadJob, serve

POISON = b"poison"


def serve_poisoned(job: ReadJob, mark: WorkMark, connection: Connection, member: int | None) -> None:
    """Be the reading process, and be killed by each batch that holds POISON."""
    read = EventReader.read

    def deadly(reader: EventReader, batch: RawBatch) -> Intake:
        if POISON in batch.values:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(reader, batch)

    EventReader.read = deadly  # type: ignore[method-assign]
    serve(job, mark, connection, member)


def serve_dying_in_turn(job: ReadJob, mark: WorkMark, _connection: Connection, _member: int | None) -> None:
    """Be a reading process that is killed at the first events of one partition after the other; a file in the place of Kafka counts."""
    deaths = Path(job.kafka.bootstrap_servers)
    position = sorted(job.start)[deaths.stat().st_size % len(job.start)]
    deaths.write_bytes(deaths.read_bytes() + b".")
    mark.set(position, job.start[position])
    os.kill(os.getpid(), signal.SIGKILL)
