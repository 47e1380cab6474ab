"""One statement in a process of its own, which whoever asked for it can end at any moment.

python -m query.start FD

A `Request` comes on stdin, the rows go to the file descriptor FD, and an `Answer` to stdout, both as JSON. The process has a low
priority and a limit of memory, of processor time and of what it writes; it ends when its stdin does, and so with whoever started it.
"""

from __future__ import annotations

import io
import os
import resource
import select
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import duckdb
import msgspec
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from query.formats import distinct, write_csv, write_page
from query.lake import Result, explained, one_line
from query.reading import refuse_unless_reading
from query.sandbox import open_sandbox
from schemas.errors import TowerError

_TRIES = 5
_BATCH_ROWS = 2_048
NICENESS = 10
"""A tenth of a processor's time while others want all of it: they hardly feel it, and it does not stand still."""
_PATIENCE_S = 600
"""A process that nobody gives a statement for so long ends, and is started again when it is needed."""
_LONGEST_ERROR = 2_000
"""Characters: more would not fit into the pipe, which is read when the process has ended."""
_BESIDE_DUCKDB_MB = 768
"""What Arrow and Python may take beside DuckDB's own limit."""

Format = Literal["page", "csv", "parquet"]


class Request(msgspec.Struct, frozen=True):
    """What to run, and within which limits."""

    home: str
    sql: str
    format: Format
    row_limit: int
    byte_limit: int
    memory_mb: int
    cpu_s: int


class Answer(msgspec.Struct, frozen=True):
    """How it went: an error in one line, or so many rows; `more` says that there were more than the limit."""

    rows: int = 0
    more: bool = False
    error: str = ""


class _Limited:
    """The rows of a result up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.rows = 0
        self.more = False

    def batches(self, connection: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[object, ...]]]:
        while batch := connection.fetchmany(_BATCH_ROWS):
            kept = batch[: self._limit - self.rows]
            self.rows += len(kept)
            self.more = len(kept) < len(batch)
            yield kept
            if self.more:
                return

    def arrow(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in reader:
            kept = batch.slice(0, self._limit - self.rows)
            self.rows += len(kept)
            self.more = len(kept) < len(batch)
            yield kept
            if self.more:
                return


def answer(request: Request, out: BinaryIO) -> Answer:
    """Run the statement and write its rows."""
    for attempt in range(1, _TRIES + 1):
        try:
            return _run_once(request, out)
        except TowerError as error:
            return Answer(error=str(error))
        except (duckdb.OutOfMemoryException, MemoryError):
            return _too_large(request)
        except duckdb.PermissionException:
            return Answer(error="a query reads the view metrics, and neither files nor networks - take that part out")
        except (duckdb.Error, pa.ArrowException, FileNotFoundError) as error:
            # A file of the lake may be replaced by a newer one between the listing and the reading.
            if "No such file" in str(error) and attempt < _TRIES:
                continue
            return Answer(error=str(explained(error)) if isinstance(error, duckdb.Error) else _unwritable(error))
        except OSError:
            size = request.byte_limit // 1_000_000
            return Answer(error=f"the result is larger than {size} MB - ask for fewer rows or columns")
        except Exception as error:  # what Python says of a value that it does not hold, such as an interval of a million years
            return Answer(error=_unwritable(error))
    raise AssertionError("the last try returns")


def _unwritable(error: Exception) -> str:
    return f"a column cannot be written: {one_line(error)} - cast it, as with ::VARCHAR"


def _too_large(request: Request) -> Answer:
    return Answer(
        error=f"the query needs more than its {request.memory_mb} MB of memory - ask for less at a time: fewer days, models or columns"
    )


def _run_once(request: Request, out: BinaryIO) -> Answer:
    out.seek(0)
    out.truncate()
    refuse_unless_reading(request.sql)
    with open_sandbox(Path(request.home), memory_mb=request.memory_mb) as connection:
        limited = _Limited(request.row_limit)
        if request.format == "parquet":
            reader = connection.sql(request.sql).to_arrow_reader(_BATCH_ROWS)
            _write_parquet(reader.schema, limited.arrow(reader), out)
        else:
            description = connection.execute(request.sql).description or []
            result = Result([each[0] for each in description], [str(each[1]) for each in description], limited.batches(connection))
            text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
            try:
                (write_csv if request.format == "csv" else write_page)(result, text)
            finally:
                # Else it would close the file when it goes, which a further try writes to.
                text.detach()
        out.flush()
    return Answer(limited.rows, limited.more)


def _write_parquet(schema: pa.Schema, batches: Iterator[pa.RecordBatch], out: BinaryIO) -> None:
    named = pa.schema([field.with_name(name) for field, name in zip(schema, distinct(schema.names), strict=True)])
    with pq.ParquetWriter(out, named) as writer:
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=named))


def _limit(request: Request) -> None:
    os.nice(NICENESS)
    virtual = psutil.Process().memory_info().vms + (request.memory_mb + _BESIDE_DUCKDB_MB) * 1_000_000
    limits = (
        (resource.RLIMIT_AS, virtual),
        (resource.RLIMIT_FSIZE, request.byte_limit),
        (resource.RLIMIT_CPU, request.cpu_s),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, limit in limits:
        resource.setrlimit(kind, (limit, limit))


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Run as a command."""
    if not select.select([sys.stdin], [], [], _PATIENCE_S)[0]:
        return
    request = msgspec.json.decode(sys.stdin.buffer.readline() or b"null", type=Request | None)
    if request is None:
        return
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    _limit(request)
    with os.fdopen(int(sys.argv[1]), "w+b") as out:
        done = answer(request, out)
    sys.stdout.buffer.write(msgspec.json.encode(msgspec.structs.replace(done, error=done.error[:_LONGEST_ERROR])))
    sys.stdout.buffer.flush()
    # Nothing is to be saved, and a reader that is under way would be waited for.
    os._exit(0)
