"""A RocksDB folder whose files are damaged: nothing that is read from it is silently short."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from pipeline.store import Store
from schemas.errors import TowerError

KEYS = [number.to_bytes(8, "big") for number in range(3_000)]


@pytest.fixture
def damaged(tmp_path: Path) -> Store:
    """Return a store with a block in the middle of its file overwritten."""
    values = [random.Random(number).randbytes(100) for number in range(len(KEYS))]
    _stored(tmp_path, values)
    (file,) = [file for file in tmp_path.glob("*.sst") if file.stat().st_size > 100_000]
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        opened.write(bytes(64))
    return Store(tmp_path, ("rows",))


def _stored(folder: Path, values: list[bytes]) -> None:
    store = Store(folder, ("rows",))
    batch = store.batch()
    batch.put_all("rows", KEYS, values)
    store.write(batch)
    store._families["rows"].flush()
    store.close()


def test_a_scan_over_a_damaged_block_is_an_error_and_no_end(damaged: Store) -> None:
    with pytest.raises(TowerError, match=r"cannot be read: Corruption: block checksum mismatch.* - put back a copy"):
        list(damaged.scan("rows"))
    assert len(list(damaged.scan("rows", end=KEYS[100]))) == 100


def test_values_in_a_damaged_block_are_an_error_with_its_mend(damaged: Store) -> None:
    with pytest.raises(TowerError, match="cannot be read: Corruption"):
        damaged.get_all("rows", KEYS)
    with pytest.raises(TowerError, match="cannot be read: Corruption"):
        _ = [damaged.get("rows", key) for key in KEYS]


def test_a_store_that_cannot_be_opened_for_a_damaged_file_says_the_same_mend(tmp_path: Path) -> None:
    _stored(tmp_path, [bytes(100)] * len(KEYS))
    newest = max(tmp_path.glob("*.sst"), key=lambda file: file.stat().st_size)
    with newest.open("r+b") as opened:
        opened.seek(-16, os.SEEK_END)
        opened.write(bytes(16))
    with pytest.raises(TowerError, match=r"cannot be opened: Corruption.* - put back a copy"):
        Store(tmp_path, ("rows",))
