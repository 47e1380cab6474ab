"""The drivers of the long life: what counts as growth, what the log tells, and that the load is what it says."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from benchmarks.pending.__main__ import Found, Held, Step, misses
from benchmarks.pending.expiring import Expiry
from benchmarks.pending.load import outcomes, templates, traffic, waiting
from benchmarks.pending.measured import Cost
from benchmarks.soak.disk import disk
from benchmarks.soak.growth import trend
from benchmarks.soak.processes import Footprint, footprint
from benchmarks.soak.quantities import QUANTITIES, Quantity
from benchmarks.soak.sampler import Sample
from benchmarks.soak.table import table, trends
from benchmarks.soak.told import LogFollower, told
from pipeline.panes import NO_CELLS
from pipeline.publish import progress
from pipeline.shard.updates import PaneUpdate
from pipeline.watermark import BEGINNING
from schemas.topics import OUTCOMES, PREDICTIONS

MEMORY = Quantity("memory", slack=10)
SECONDS = np.arange(0, 600, 3.0).tolist()
IDLE, BUSY = Cost(1.0, 1.0, 10, 5), Cost(11.0, 6.0, 500_000_000, 400_000_000)


def saw(second: float, slope: float = 0.0) -> float:
    """A size that compaction halves every minute, over a slope."""
    return 1000 + 1000 * (second % 60) / 60 + slope * second


def test_a_saw_is_flat_and_a_slope_beneath_it_is_growth() -> None:
    assert not trend(MEMORY, SECONDS, [saw(second) for second in SECONDS], warm_up_s=120).grows
    grown = trend(MEMORY, SECONDS, [saw(second, slope=0.6) for second in SECONDS], warm_up_s=120)
    assert grown.grows
    assert grown.growth == pytest.approx(0.6 * 240 / grown.first, rel=0.1)


def test_what_grows_during_the_warm_up_alone_is_flat() -> None:
    assert not trend(MEMORY, SECONDS, [min(second, 180) for second in SECONDS], warm_up_s=180).grows


def test_a_rise_within_the_slack_or_of_what_is_not_judged_is_no_growth() -> None:
    counts = [4.0 if second < 390 else 14.0 for second in SECONDS]
    assert not trend(MEMORY, SECONDS, counts, warm_up_s=180).grows
    assert trend(replace(MEMORY, slack=9), SECONDS, counts, warm_up_s=180).grows
    assert not trend(replace(MEMORY, slack=None), SECONDS, counts, warm_up_s=180).grows


def test_too_few_samples_are_no_evidence() -> None:
    with pytest.raises(ValueError, match="9 and 9 samples after the warm-up"):
        trend(MEMORY, SECONDS[:18], SECONDS[:18], warm_up_s=0)


def test_the_table_has_a_line_for_each_quantity_with_its_verdict() -> None:
    keys = ["pipeline_rss", "pipeline_files", "expired"]
    rising = dict.fromkeys(SECONDS, 0.0) | dict.fromkeys(SECONDS[100:], 1e9)
    samples = [Sample(at, "", dict.fromkeys(QUANTITIES, 7.0) | dict.fromkeys(keys, rising[at])) for at in SECONDS]
    verdicts = {row.split(" | ")[0]: row.split(" | ")[-1] for row in table(trends(samples, 0)).splitlines()[2:]}
    assert verdicts["| pipeline, resident memory, MiB"] == verdicts["| pipeline, open files"] == "GROWS |"
    assert verdicts["| predictions that have expired"] == "not judged |"
    assert set(verdicts.values()) == {"GROWS |", "not judged |", "flat |"}


def test_a_follower_understands_what_the_pipeline_logs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)
    counts = {"predictions": 1_200, "duplicates": 30, "outcomes": 400, "expired predictions": 200, "folded models": 3}
    log = progress.ProgressLog()
    with caplog.at_level("INFO", "tower.pipeline"):
        log.note(PaneUpdate(0, 1, NO_CELLS, {}, 0, 0, {"outcomes": 7}), BEGINNING)
        log.note(PaneUpdate(0, 1, NO_CELLS, {}, 0, 0, counts), 1_700_000_000_000)
    outcomes_alone, line = (f"12:00:00 INFO {message}\n" for message in caplog.messages)
    assert outcomes_alone.endswith("; no prediction yet\n")
    assert told(outcomes_alone) is None
    file = tmp_path / "pipeline.txt"
    file.write_text(line[:50])
    follower = LogFollower(file, lambda: 2_000)
    assert not follower.look()
    file.write_text(line)
    assert follower.look()
    assert follower.last.event_time == "2023-11-14 22:13:20Z"
    assert (follower.last.pending, follower.last.events, follower.lag) == (1_000, 1_630, 370)
    assert not follower.look()


def test_the_disk_of_a_home_is_told_by_its_parts(tmp_path: Path) -> None:
    for name, blocks in {
        "state/shard-0/1.sst": 3,
        "state/publisher/1.sst": 2,
        "state/publisher/2.log": 5,
        "tower.duckdb": 1,
        "lake/metrics/window=1h/0.parquet": 1,
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(random.Random(name).randbytes(4096 * blocks))
    found = disk(tmp_path)
    assert (found.shards, found.publisher, found.logs, found.duckdb, found.lake, found.lake_files) == (12288, 8192, 20480, 4096, 4096, 1)


def test_a_process_that_has_ended_takes_nothing() -> None:
    gone = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(gone, 0)
    assert footprint(gone) == Footprint()


def test_each_outcome_is_for_one_that_waits_and_names_its_model() -> None:
    kinds = templates(seed=3)
    held = {key: orjson.loads(value) for _, key, value in waiting(kinds, b"waiting-", 4_000, 1_000, 2_000)}
    drawn = random.Random(1).sample(range(4_000), 300)
    events = list(traffic(kinds, 900, 2_000, 3_000, outcomes(kinds, b"waiting-", drawn, 2_500)))
    new = [orjson.loads(value) for topic, _, value in events if topic == PREDICTIONS]
    labels = {key: orjson.loads(value) for topic, key, value in events if topic == OUTCOMES}
    assert {event["prediction_id"] for event in new}.isdisjoint(event["prediction_id"] for event in held.values())
    assert len(new) == 900
    assert sorted(labels) == sorted(b"waiting-%d" % number for number in drawn)
    assert all(held[key]["model"] == label["model"] and key.decode() == label["prediction_id"] for key, label in labels.items())
    assert {1_000 <= event["created_at"] < 2_000 for event in held.values()} == {True}


def held(predictions: int, cpu: float = 6.0, rss: int = 500_000_000) -> Held:
    among = Step("among", 1_000, replace(BUSY, cpu=cpu, rss=rss), IDLE)
    return Held(predictions, Step("held", predictions, BUSY, IDLE), among, among, 58.0, 200, 200)


def test_a_rate_leaves_out_start_and_end_and_each_goal_that_is_missed_is_told() -> None:
    expiry = Expiry(1_000, 1_000, 10.0, 50.0, 0.5, 100, 500_000_000, 400_000_000, 0.5)
    good = Found(held(10), held(1_000), expiry, 400.0)
    assert (good.all.among.rate, good.all.among.per_cpu_second, good.ratio, good.of_loads) == (100, 200, 1, 0.25)
    assert misses(good) == []
    assert "memory" in misses(replace(good, all=held(1_000, rss=2_000_000_000)))[0]
    assert "0.50" in misses(replace(good, all=held(1_000, cpu=11.0)))[0]
    assert "0.20" in misses(replace(good, loads=500.0))[0]
    assert "1 label" in misses(replace(good, few=replace(good.few, labelled=199)))[0]
    assert "1.5 s" in misses(replace(good, expiry=replace(expiry, longest_gap_s=1.5)))[0]
    assert "100 expired a second" in misses(replace(good, expiry=replace(expiry, rate=200.0)))[0]
    assert "only 900 of 1,000" in misses(replace(good, expiry=replace(expiry, expired=900)))[0]
