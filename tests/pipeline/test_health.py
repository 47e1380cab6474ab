"""What the pipeline says of itself."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.panes import NO_CELLS
from pipeline.publish.health import HealthFile
from pipeline.shard.updates import PaneUpdate
from pipeline.watermark import BEGINNING
from schemas.health import PartitionProgress, ShardHealth, health_file, read_health
from schemas.topics import OUTCOMES, PREDICTIONS
from schemas.version import VERSION
from tests.pipeline.events import NOW

ROOT = Path(__file__).resolve().parents[2]


def test_it_is_the_sum_of_what_the_shards_say_and_the_least_of_how_far_they_are(tmp_path: Path) -> None:
    now = [NOW]
    health = HealthFile(tmp_path, 2, lambda: now[0])
    health.note(PaneUpdate(0, 1, NO_CELLS, {}, NOW - 5, NOW - 3, {"predictions": 4}, progress={(PREDICTIONS, 0): 7, (OUTCOMES, 0): 2}))
    health.note(PaneUpdate(1, 1, NO_CELLS, {}, NOW - 9, NOW - 2, {"predictions": 2}, progress={(PREDICTIONS, 0): 5}, commit_ms=2.5))
    health.published(0.25)
    health.write_if_due()
    found = read_health(tmp_path)
    assert found is not None
    assert found.counts == {"predictions": 6}
    assert found.partitions == [PartitionProgress(OUTCOMES, 0, 2), PartitionProgress(PREDICTIONS, 0, 5)]
    assert (found.watermark, found.newest_event_time, found.started_at, found.processes) == (NOW - 9, NOW - 2, NOW, 2)
    assert found.shards == [ShardHealth(0, 1, 0.0, NOW), ShardHealth(1, 1, 2.5, NOW)]
    assert (found.publish_ms, found.published_at) == (250.0, NOW)


def test_it_is_written_once_a_second_though_nothing_comes_and_whatever_the_clock_does(tmp_path: Path) -> None:
    now = [NOW]
    health = HealthFile(tmp_path, 1, lambda: now[0])
    written = []
    for step in (0, 400, 999, 1_000, 1_500, -90_000, -89_500, -89_000):
        now[0] = NOW + step
        health.write_if_due()
        found = read_health(tmp_path)
        assert found is not None
        assert (found.watermark, found.newest_event_time) == (None, None)
        written.append(found.updated_at - NOW)
    assert written == [0, 0, 0, 1_000, 1_000, -90_000, -90_000, -89_000]


def test_before_any_event_and_without_a_home_it_says_nothing_wrong(tmp_path: Path) -> None:
    assert read_health(tmp_path) is None
    health_file(tmp_path).write_bytes(b"{")
    assert read_health(tmp_path) is None
    health = HealthFile(tmp_path / "health.json", 1, lambda: NOW)
    health.note(PaneUpdate(0, 1, NO_CELLS, {}, BEGINNING, BEGINNING, {}))
    health.write_if_due()  # its folder is a file: whoever must store something says so


def test_the_version_is_that_of_the_project() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.+)"$', project, re.MULTILINE) is not None
    assert f'version = "{VERSION}"' in project
