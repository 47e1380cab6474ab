"""A RocksDB folder with column families, as the shards and the publisher use it.

Writes go through the write-ahead log without waiting for the disk: a killed process loses nothing. After a
power cut RocksDB comes back with a prefix of its batches, and the log is read again from there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from rocksdict import AccessType, BlockBasedOptions, DBCompressionType, Options, Rdict, WriteBatch

from schemas.errors import HomeInUse, TowerError

_UNWRITTEN_BYTES = 32 << 20
"""For all families of a store together: by default each family would have its own."""
_ANEW = "put back a copy of that folder, or move it away: it is made anew from the other folders and what Kafka still holds"
_FIRST_COMPRESSED_LEVEL = 2
_FILES_BEFORE_COMPACTION, _BRIEF_FILES_BEFORE_COMPACTION = 8, 2


def items_bytes(items: npt.NDArray[Any]) -> list[bytes]:
    """Return the bytes of each item of an array of one dimension, or of each row of one of two."""
    rows = np.ascontiguousarray(items)
    found: list[bytes] = rows.view(f"V{rows.itemsize * rows[:1].size}").ravel().tolist() if rows.size else []
    return found


class Batch:
    """Changes to several column families that are stored as one."""

    def __init__(self, database: Rdict, families: Sequence[str]) -> None:
        self._batch = WriteBatch(raw_mode=True)
        self._handles = {name: database.get_column_family_handle(name) for name in families}

    def put(self, family: str, key: bytes, value: bytes) -> None:
        """Store one value."""
        self._batch.put(key, value, self._handles[family])

    def put_all(self, family: str, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        """Store many values; ascending keys are the fastest."""
        batch = self._batch
        batch.set_default_column_family(self._handles[family])
        for key, value in zip(keys, values, strict=True):
            batch[key] = value  # half the time of `put`

    def delete_all(self, family: str, keys: Sequence[bytes]) -> None:
        """Forget many keys."""
        delete, handle = self._batch.delete, self._handles[family]
        for key in keys:
            delete(key, handle)

    def delete_range(self, family: str, first: bytes, end: bytes) -> None:
        """Forget the keys from `first` to before `end`."""
        self._batch.delete_range(first, end, self._handles[family])

    @property
    def raw(self) -> WriteBatch:
        """The batch as RocksDB takes it."""
        return self._batch


class Store:
    """One open RocksDB folder. Only one process can have it open. What reads raises TowerError where a file in it is damaged.

    What is put into a `brief` family is soon deleted or replaced: it is compacted early, since hardly anything is left of it then.
    """

    def __init__(self, folder: Path, families: Sequence[str], *, brief: Collection[str] = (), read_only: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._names = tuple(families)
        try:
            self._database = Rdict(
                str(folder),
                _options(),
                column_families={name: _options(brief=name in brief) for name in families},
                access_type=AccessType.read_only(error_if_log_file_exist=False) if read_only else AccessType.read_write(),
            )
        except Exception as error:  # rocksdict raises a bare Exception for all that RocksDB reports
            if "lock file" in str(error).lower() or "lock hold by" in str(error).lower():
                raise HomeInUse(f"{folder} is in use by another process", "stop the other pipeline, or set TOWER_HOME") from error
            raise _told(f"{folder} cannot be opened", error, "run ./tower doctor; if the disk is full, free some space") from error
        self._families = {name: self._database.get_column_family(name) for name in families}

    def batch(self) -> Batch:
        """Return an empty batch."""
        return Batch(self._database, self._names)

    def write(self, batch: Batch) -> None:
        """Store a batch, wholly or not at all. Raises TowerError when the disk does not take it."""
        try:
            self._database.write(batch.raw)
        except Exception as error:  # rocksdict raises a bare Exception for all that RocksDB reports
            raise _told(
                f"{self.folder} cannot be written", error, "free disk space and start again: it goes on from what is stored"
            ) from error

    def get(self, family: str, key: bytes) -> bytes | None:
        """Return one value, or None."""
        with self._reading():
            value: bytes | None = self._families[family].get(key)
        return value

    def get_all(self, family: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of many keys, None for what is not there."""
        if not keys:
            return []
        with self._reading():
            return cast("list[bytes | None]", self._families[family].get(list(keys)))

    def scan(self, family: str, first: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from `first` to before `end`, ascending."""
        rows = self._families[family].iter()
        rows.seek(first)
        while rows.valid():
            key = rows.key()
            if end is not None and key >= end:
                return
            yield key, rows.value()
            rows.next()
        with self._reading():
            rows.status()  # at a damaged block it just ends, as it does behind the last row

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # rocksdict raises a bare Exception for all that RocksDB reports
            raise _told(f"{self.folder} cannot be read", error, _ANEW) from error

    def close(self) -> None:
        """Write out what is in memory, and let go of the folder."""
        self._families.clear()
        self._database.close()


def _told(what: str, error: Exception, mend: str) -> TowerError:
    """Return the error for what RocksDB reports; `mend` is for all but a damaged file, which any call may come upon."""
    return TowerError(f"{what}: {error}", _ANEW if "corrupt" in str(error).lower() else mend)


def _options(*, brief: bool = False) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    table = BlockBasedOptions()
    table.set_bloom_filter(10, False)
    table.disable_cache()  # keys are hashes, or were written a moment ago: what is read is never near what was read before
    options.set_block_based_table_factory(table)
    # What lies in the first levels is soon written again: to compress it costs more than the space is worth.
    options.set_compression_type(DBCompressionType.lz4())
    options.set_min_level_to_compress(_FIRST_COMPRESSED_LEVEL)
    options.set_level_zero_file_num_compaction_trigger(_BRIEF_FILES_BEFORE_COMPACTION if brief else _FILES_BEFORE_COMPACTION)
    options.set_allow_concurrent_memtable_write(False)  # one thread writes: its ascending keys then find their place at once
    options.set_write_buffer_size(16 << 20)
    options.set_max_write_buffer_number(3)
    options.set_db_write_buffer_size(_UNWRITTEN_BYTES)
    options.set_keep_log_file_num(2)
    options.set_max_total_wal_size(32 << 20)
    return options
