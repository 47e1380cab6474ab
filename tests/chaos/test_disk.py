"""Disks that are full or read-only: the reason is told in one line, and what is stored is gone on from."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.kafka import KafkaSettings
from schemas.topics import METRICS
from tests.control.command_line import tower
from tests.oracle.batch import compute
from tests.oracle.events import generate
from tests.oracle.records import Record, lay_out
from tests.oracle.system import Log, PipelineProcess, catch_up, end_offset
from tests.oracle.test_oracle import assert_all_equal
from tests.waiting import wait_until

Topics = Callable[[int], KafkaSettings]
TOML = '[pipeline]\nexport_interval = "500ms"\n'
PARTITIONS = 2
MIB = 1 << 20

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(os.geteuid() != 0, reason="a small disk of its own is mounted, which only root can do"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[Path, int], None]]:
    """Return a function that mounts a disk of so many MiB at a folder."""
    mounted: list[Path] = []

    def mount(folder: Path, mib: int) -> None:
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)], check=True)
        mounted.append(folder)

    yield mount
    for folder in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return lay_out(generate(1_500, seed=5, days=2), {"predictions": PARTITIONS, "outcomes": PARTITIONS}, seed=5)


@pytest.fixture(scope="module")
def expected(records: list[Record]) -> pa.Table:
    return compute(records)


def fill(folder: Path) -> Path:
    """Leave no byte of the disk under a folder free; return the file that takes it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def publishes(kafka: KafkaSettings) -> bool:
    return end_offset(kafka, METRICS) > 0


@pytest.mark.parametrize("full", ["state", "."], ids=["RocksDB's", "RocksDB's and DuckDB's"])
def test_a_full_disk_ends_the_pipeline_with_its_reason_and_nothing_is_lost(
    full: str, records: list[Record], expected: pa.Table, topics: Topics, disk: Callable[[Path, int], None], tmp_path: Path
) -> None:
    home, kafka = tmp_path / "home", topics(PARTITIONS)
    disk(home / full, 192)
    log, half = Log(kafka), len(records) // 2
    with PipelineProcess(home, kafka, toml=TOML, log=tmp_path / "output.txt") as process:
        log.write(records[:half])
        wait_until(lambda: publishes(kafka), "it publishes")
        ballast = fill(home / full)
        log.write(records[half:])
        assert not process.runs_for(60), process.output()
        assert process.exit_code == 1
        last = process.output().splitlines()[-1]
        assert last.startswith("tower: "), process.output()
        assert "cannot be written" in last
        assert "No space left on device" in last
        assert "Traceback" not in process.output()
    ballast.unlink()
    catch_up(home, kafka, toml=TOML)
    assert_all_equal(expected, home, kafka)


def test_where_only_the_history_is_full_the_metrics_go_on(
    records: list[Record], expected: pa.Table, topics: Topics, disk: Callable[[Path, int], None], tmp_path: Path
) -> None:
    home, kafka = tmp_path / "home", topics(PARTITIONS)
    disk(home / "lake", 32)
    ballast = fill(home / "lake")
    log, half = Log(kafka), len(records) // 2
    with PipelineProcess(home, kafka, toml=TOML) as process:
        log.write(records[:half])
        wait_until(lambda: "the metrics could not be exported" in process.output(), "it is told")
        before = end_offset(kafka, METRICS)
        log.write(records[half:])
        wait_until(lambda: end_offset(kafka, METRICS) > before, "the topic goes on")
        assert process.exit_code is None
        ballast.unlink()
        wait_until(lambda: (home / "lake" / "metrics" / "export.json").exists(), "the history goes on too")
        assert process.exit_code is None
    catch_up(home, kafka, toml=TOML)
    assert_all_equal(expected, home, kafka)


def test_a_home_that_can_only_be_read_is_told_in_one_line(topics: Topics, disk: Callable[[Path, int], None], tmp_path: Path) -> None:
    home, kafka = tmp_path / "home", topics(PARTITIONS)
    disk(home, 32)
    subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
    done = tower("pipeline", home=home, more={"TOWER_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"tower: {home} cannot be written: Read-only file system - ")
