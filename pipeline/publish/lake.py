"""The export of the metrics as Parquet, a file for each window and stretch of time.

Only files whose rows have changed are written again, beside the old ones, which they then replace. A thread of its own does it, on its own
connection, so that publishing goes on meanwhile.
"""

from __future__ import annotations

import logging
import math
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow
import pyarrow.parquet

from pipeline.cells import Keys
from pipeline.panes import WINDOWS, pane_start_ms, pane_window
from pipeline.publish.database import TABLE, database_file, telling
from schemas.errors import TowerError
from schemas.files import replace_file, sync_folder
from schemas.lake import WIDE_COLUMNS, export_manifest, metrics_folder

log = logging.getLogger("tower.pipeline")
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
BUCKET_MS = {"10s": _HOUR_MS, "1m": 6 * _HOUR_MS, "1h": 30 * _DAY_MS, "1d": 365 * _DAY_MS, "7d": 7 * _DAY_MS}
"""How much time one file of each window holds."""
_BUCKET_OF_WINDOW = np.array([BUCKET_MS[name] for name in WINDOWS], dtype=np.int64)
_STORED = ", ".join(f'"{name}"' for name in WIDE_COLUMNS if name != "window")
_CHUNK_BYTES = 1 << 20
Bucket = tuple[str, int]


def buckets_of(panes: Keys) -> set[Bucket]:
    """Return the files that hold the rows of panes: (window, start in epoch milliseconds)."""
    windows, starts = pane_window(panes), pane_start_ms(panes)
    start = starts - starts % _BUCKET_OF_WINDOW[windows]
    distinct = np.unique(np.stack([windows, start], axis=1), axis=0) if len(panes) else np.zeros((0, 2), dtype=np.int64)
    return {(WINDOWS[window], start) for window, start in distinct.tolist()}


class LakeExport:
    """Keeps `lake/metrics/` equal to the table, at the times when `start` is called."""

    def __init__(self, home: Path, connection: duckdb.DuckDBPyConnection, clock: Callable[[], int]) -> None:
        self._home = home
        self._folder = metrics_folder(home)
        self._connection = connection
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "lake-export")
        self._running: Future[set[Bucket]] | None = None
        self._manifest = self._stored_manifest()
        self._sums: dict[Bucket, int] = {
            (window, int(start)): crc for window, files in self._manifest.get("crc32", {}).items() for start, crc in files.items()
        }
        self._unchecked = sorted(self._sums)
        self._changed: set[Bucket] = self._behind()
        self._exporting: set[Bucket] = set()
        self._started_s = -math.inf
        self._until_s = math.inf

    def changed(self, panes: Keys) -> None:
        """Note that the rows of panes have changed."""
        self._changed |= buckets_of(panes)

    def due(self, interval_s: float) -> bool:
        """Say whether none is under way and the last one began so long ago. One that the disk did not take is done again."""
        if self._running is not None and self._running.done():
            try:
                self._changed |= self._running.result()
            except OSError as error:
                self._changed |= self._exporting
                log.warning(
                    "the metrics could not be exported to %s: %s; going on, and trying again in %g s", self._folder, error, interval_s
                )
            self._running = None
        return self._running is None and time.monotonic() - self._started_s >= interval_s

    def start(self, offsets: Mapping[int, int], revision: int, newest: int, oldest_end: Mapping[str, int]) -> None:
        """Export what has changed. `offsets` of the topic and `revision` are contained; windows that end by `oldest_end` are not."""
        changed, self._changed = self._changed, set()
        self._exporting = set(changed)
        self._started_s = time.monotonic()
        manifest = {
            "exported_at": self._clock(),
            "offsets": {str(partition): offset for partition, offset in offsets.items()} or self._manifest.get("offsets", {}),
            "newest_event_time": newest,
            "revision": revision,
        }
        self._running = self._thread.submit(self._export, changed, manifest, dict(oldest_end))

    def finish(self, within_s: float = math.inf) -> None:
        """Wait until the export under way is done, or given up after `within_s` seconds. TowerError: the disk did not take it."""
        self._until_s = time.monotonic() + within_s
        if self._running is not None:
            running, self._running = self._running, None
            try:
                self._changed |= running.result()
            except OSError as error:
                raise TowerError(
                    f"the metrics could not be exported to {self._folder}: {error}", "free disk space and start again"
                ) from error

    def close(self, within_s: float = math.inf) -> None:
        """Finish, and let go of the thread."""
        self.finish(within_s)
        self._thread.shutdown()
        self._connection.close()

    def _export(self, changed: set[Bucket], manifest: dict[str, object], oldest_end: dict[str, int]) -> set[Bucket]:
        """Write the files, then the manifest; return the files that there was no time for, without which no manifest may be written."""
        for window, end in oldest_end.items():
            for start in self._files(window):
                if start + BUCKET_MS[window] <= end - BUCKET_MS[window]:
                    self._remove((window, start))
                elif start < end:  # some of its windows may have passed their retention since it was written
                    changed.add((window, start))
        damaged = self._damaged(changed)
        self._exporting |= damaged
        waiting = sorted(changed | damaged)
        for number, (window, start) in enumerate(waiting):
            if time.monotonic() > self._until_s:
                return set(waiting[number:])  # the manifest stays behind, so the next start writes the rest
            self._write(window, start, oldest_end.get(window, 0))
        for folder in {self._folder, *(self._file(window, start).parent for window, start in waiting)}:
            if folder.exists():
                sync_folder(folder)  # with a manifest that a power cut leaves, it leaves the files of which it speaks
        sums: dict[str, dict[str, int]] = {}
        for (window, start), crc in self._sums.items():
            sums.setdefault(window, {})[str(start)] = crc
        replace_file(export_manifest(self._home), orjson.dumps(manifest | {"crc32": sums}), lasting=True)
        return set()

    def _damaged(self, besides: set[Bucket]) -> set[Bucket]:
        """Return, once after the start, the files that are not as they were written: some disks lose or change what they once had."""
        found: set[Bucket] = set()
        while self._unchecked and time.monotonic() <= self._until_s:
            bucket = self._unchecked.pop()
            if bucket in self._sums and bucket not in besides and not self._is_as_written(bucket):
                log.warning("%s is damaged; writing it again", self._file(*bucket))
                found.add(bucket)
        return found

    def _is_as_written(self, bucket: Bucket) -> bool:
        try:
            return _crc32(self._file(*bucket)) == self._sums[bucket]
        except OSError:
            return False

    def _write(self, window: str, start: int, oldest_end: int) -> None:
        file = self._file(window, start)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".writing")
        text = str(beside).replace("'", "''")
        bounds = f"make_timestamptz({start * 1000}) AND window_start < make_timestamptz({(start + BUCKET_MS[window]) * 1000})"
        with self._telling(beside):
            rows = self._connection.execute(
                f"""COPY (SELECT {_STORED} FROM {TABLE}
                          WHERE "window" = '{window}' AND window_start >= {bounds} AND window_end > make_timestamptz({oldest_end * 1000})
                          ORDER BY model, model_version, segment, window_start)
                    TO '{text}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 8192)"""
            ).fetchone()
            crc = _crc32(beside, sync=True)
        if rows and rows[0]:
            os.replace(beside, file)
            self._sums[window, start] = crc
        else:
            beside.unlink()
            self._remove((window, start))

    @contextmanager
    def _telling(self, beside: Path) -> Iterator[None]:
        """Leave nothing of a file that was not written whole. Raises OSError when the disk does not take it, TowerError for all else."""
        try:
            with telling(database_file(self._home)):
                try:
                    yield
                except duckdb.IOException as error:
                    if "corrupt" in str(error).lower():  # what it is read from
                        raise
                    raise OSError(str(error)) from error
        except (OSError, TowerError):
            beside.unlink(missing_ok=True)  # on a full disk each byte counts
            raise

    def _remove(self, bucket: Bucket) -> None:
        self._file(*bucket).unlink(missing_ok=True)
        self._sums.pop(bucket, None)

    def _files(self, window: str) -> list[int]:
        return [int(file.stem) for file in (self._folder / f"window={window}").glob("*.parquet")]

    def _file(self, window: str, start: int) -> Path:
        return self._folder / f"window={window}" / f"{start}.parquet"

    def _stored_manifest(self) -> dict[str, Any]:
        file = export_manifest(self._home)
        try:
            found: dict[str, Any] = orjson.loads(file.read_bytes()) if file.exists() else {}
        except orjson.JSONDecodeError:  # damaged: then all files are written again
            return {}
        return found

    def _behind(self) -> set[Bucket]:
        """Return the files to write: a run may have been killed before it exported all, and files may be gone.

        Of rows that were withdrawn no revision tells: a file that has another number of rows is written again.
        """
        revision = self._manifest.get("revision", -1)
        found: set[Bucket] = set()
        for window, length in BUCKET_MS.items():
            with telling(database_file(self._home)):
                rows = self._connection.execute(
                    f"""SELECT epoch_ms(window_start) // {length} * {length}, max(revision), count(*)
                        FROM {TABLE} WHERE "window" = ? GROUP BY 1""",
                    [window],
                ).fetchall()
            counts = {int(start): int(count) for start, _, count in rows}
            files = {start: _row_count(self._file(window, start)) for start in self._files(window)}
            found |= {(window, start) for start in files if (window, start) not in self._sums}
            found |= {(window, start) for start in files.keys() | counts.keys() if files.get(start) != counts.get(start)}
            found |= {(window, int(start)) for start, newest, _ in rows if newest > revision}
        return found


def _row_count(file: Path) -> int:
    """Return how many rows a file has; -1 where it does not say."""
    try:
        return int(pyarrow.parquet.read_metadata(file).num_rows)
    except (OSError, pyarrow.ArrowException):
        return -1


def _crc32(file: Path, *, sync: bool = False) -> int:
    """Return the checksum of a file's content; with `sync`, once it is on the disk. Raises OSError."""
    crc = 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            crc = zlib.crc32(chunk, crc)
        if sync:
            os.fsync(opened.fileno())
    return crc
