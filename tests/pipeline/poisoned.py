"""A reading process that dies over certain events, as over a fault in what decodes them, or when memory is short."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection

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
