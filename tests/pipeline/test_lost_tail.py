"""A store that was set back alone, as by a power cut: RocksDB then comes back with a prefix of its commits, the others need not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.kafka import KafkaSettings
from tests.oracle.batch import compute
from tests.oracle.events import generate
from tests.oracle.records import Record, lay_out
from tests.oracle.system import Log, catch_up
from tests.oracle.test_oracle import assert_all_equal


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return lay_out(generate(1_500, seed=3, days=2), {"predictions": 2, "outcomes": 2}, seed=3)


@pytest.fixture(scope="module")
def expected(records: list[Record]) -> pa.Table:
    return compute(records)


@pytest.mark.parametrize("sets_back", ["shard-0", "publisher"])
def test_a_store_that_lost_its_last_commits_is_made_good_by_the_others(
    sets_back: str, records: list[Record], expected: pa.Table, topics: Callable[[int], KafkaSettings], tmp_path: Path
) -> None:
    kafka = topics(2)
    log, home, kept = Log(kafka), tmp_path / "home", tmp_path / "kept"
    third = len(records) // 3
    log.write(records[:third])
    catch_up(home, kafka)
    shutil.copytree(home / "state" / sets_back, kept)
    log.write(records[third : 2 * third])
    catch_up(home, kafka)
    shutil.rmtree(home / "state" / sets_back)
    kept.rename(home / "state" / sets_back)
    log.write(records[2 * third :])
    catch_up(home, kafka)
    assert_all_equal(expected, home, kafka)
