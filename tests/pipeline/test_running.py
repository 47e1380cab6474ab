"""The pipeline on a real Kafka: outcomes move what readers see, and a stop at any moment is short and clean."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from pipeline.publish.publisher import publisher_folder
from pipeline.publish.state import PublisherState
from schemas.errors import HomeInUse
from schemas.kafka import KafkaSettings
from schemas.topics import PREDICTIONS
from tests.pipeline.events import prediction
from tests.pipeline.running import Pipeline, Readers, Services, caught_up, now_ms, place, query, until, volume

Topics = Callable[[int], KafkaSettings]
DAY = 86_400_000


def test_a_label_moves_the_metrics_whenever_it_comes_and_whatever_it_corrects(topics: Topics, tmp_path: Path) -> None:
    kafka, at = topics(2), now_ms() - 5 * DAY
    services = Services(kafka)
    with Pipeline(tmp_path, kafka, toml='[pipeline]\nexport_interval = "1s"') as pipeline, Readers(kafka) as readers:
        services.know({"prediction_id": "early", "created_at": at + 5, "label": 1, "converted": True})
        services.serve({"prediction_id": "late", "created_at": at, "segments": {"plan": "pro"}})
        readers.wait_for("prediction_volume", 1)
        services.serve({"prediction_id": "early", "created_at": at, "variant": "treatment"})
        readers.wait_for("label_coverage", 0.5)
        assert readers.value("accuracy") == 1
        assert readers.value("conversion_rate", dimension="variant=treatment") == 1
        services.know({"prediction_id": "late", "created_at": at + 4 * DAY, "label": 0, "revenue_generated": 2.5})
        readers.wait_for("accuracy", 0.5)
        assert readers.value("accuracy", segment="plan=pro") == 0
        assert readers.value("revenue") == 2.5
        services.know({"prediction_id": "late", "created_at": at + 4 * DAY + 1, "label": 1})
        services.know({"prediction_id": "late", "created_at": at + 4 * DAY, "label": 0, "revenue_generated": 9})
        readers.wait_for("accuracy", 1)
        assert readers.value("accuracy", version="v1", segment="plan=pro") == 1
        readers.wait_for("revenue", 9)
        lake = """SELECT metric, value FROM metrics WHERE model = 'churn' AND model_version = '*' AND segment = '*' AND dimension = ''
                  AND "window" = '1h' AND metric IN ('accuracy', 'revenue', 'prediction_volume')"""
        until(
            lambda: (
                {row["metric"]: float(row["value"]) for row in query(tmp_path, kafka, lake)}
                == {"accuracy": 1, "revenue": 9, "prediction_volume": 2}
            ),
            lambda: f"the lake shows the same: {query(tmp_path, kafka, lake)}",
        )
        assert pipeline.leaves(signal.SIGTERM) == 0
    assert "Traceback" not in pipeline.output()


def test_a_second_pipeline_on_the_same_home_is_refused_in_one_line(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    Services(kafka).serve({"prediction_id": "a", "created_at": now_ms()})
    with Pipeline(tmp_path, kafka) as first, Readers(kafka) as readers:
        readers.wait_for("prediction_volume", 1)
        written = len(first.output())
        with Pipeline(tmp_path, kafka) as second:
            assert second.ends() == HomeInUse.exit_code == 1
        lines = first.output()[written:].splitlines()
        assert len(lines) == 1, lines
        assert f"is in use by another pipeline (process {first.process.pid}) - stop it, or set TOWER_HOME" in lines[0]
        Services(kafka).serve({"prediction_id": "b", "created_at": now_ms()})
        readers.wait_for("prediction_volume", 2)
        assert first.leaves(signal.SIGINT) == 0


@pytest.mark.parametrize("flags", [(), ("--processes", "2")], ids=["one process", "two processes"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_stop_while_idle_is_at_once_and_clean(number: signal.Signals, flags: tuple[str, ...], topics: Topics, tmp_path: Path) -> None:
    kafka = topics(2)
    Services(kafka).serve({"prediction_id": "a", "created_at": now_ms()})
    with Pipeline(tmp_path, kafka, *flags) as pipeline, Readers(kafka) as readers:
        readers.wait_for("prediction_volume", 1)
        assert pipeline.leaves(number) == 0
        assert "Traceback" not in pipeline.output()
    assert volume(tmp_path, kafka) == 1


@pytest.mark.parametrize("flags", [(), ("--processes", "2")], ids=["one process", "two processes"])
def test_a_stop_in_the_middle_of_a_large_backlog_loses_and_doubles_nothing(flags: tuple[str, ...], topics: Topics, tmp_path: Path) -> None:
    kafka, at = topics(2), now_ms() - DAY
    at -= at % 60_000
    services, count = Services(kafka), 300_000
    services.flood(count, at)
    with Pipeline(tmp_path, kafka, *flags) as pipeline, Readers(kafka) as readers:
        until(lambda: bool(readers.value("prediction_volume", "1h")), pipeline.output)
        assert pipeline.leaves(signal.SIGTERM) == 0
        assert "Traceback" not in pipeline.output()
    # Another number of processes goes on where these stopped.
    caught_up(tmp_path, kafka, "--processes", "1" if flags else "2")
    assert volume(tmp_path, kafka, "1h") == count


def test_a_cluster_that_is_stopped_before_it_is_up_leaves_without_a_word_of_failure(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    with Pipeline(tmp_path, kafka, "--processes", "2") as pipeline:
        until(lambda: len(pipeline.members()) == 2, pipeline.output)
        # Ctrl-C in a terminal reaches the members too.
        for member in pipeline.members():
            member.send_signal(signal.SIGINT)
        assert pipeline.leaves(signal.SIGINT) == 0
        assert "Traceback" not in pipeline.output()
        assert "starting all again" not in pipeline.output()


def test_killed_between_publishing_and_exporting_the_lake_is_complete_after_the_next_run(topics: Topics, tmp_path: Path) -> None:
    kafka, never = topics(1), '[pipeline]\nexport_interval = "1h"'
    services, at = Services(kafka), now_ms() - DAY
    services.serve(*({"prediction_id": f"a{number}", "created_at": at} for number in range(3)))
    caught_up(tmp_path, kafka, toml=never)
    with Pipeline(tmp_path, kafka, toml=never) as pipeline, Readers(kafka) as readers:
        readers.wait_for("prediction_volume", 3)
        services.serve(*({"prediction_id": f"b{number}", "created_at": at - 40 * DAY} for number in range(4)))
        services.serve({"prediction_id": "c", "created_at": at})
        readers.wait_for("prediction_volume", 8)
        pipeline.kill()
    caught_up(tmp_path, kafka, toml=never)
    for window in ("1h", "1d"):
        assert volume(tmp_path, kafka, window) == 8
    assert query(tmp_path, kafka, """SELECT count(*) AS n FROM metrics WHERE "window" = '7d'""")[0]["n"] != "0"


def test_queries_answer_while_the_pipeline_writes(topics: Topics, tmp_path: Path) -> None:
    kafka, at = topics(2), now_ms() - 3_600_000
    services = Services(kafka)
    toml = '[pipeline]\nexport_interval = "200ms"\npublish_interval = "20ms"'
    services.flood(1000, at)
    with Pipeline(tmp_path, kafka, toml=toml) as pipeline, Readers(kafka) as readers:
        readers.wait_for("prediction_volume", 1000)
        seen = []
        for number in range(1, 6):
            services.flood(1000, at, first=number * 1000)
            seen.append(volume(tmp_path, kafka))
        assert seen == sorted(seen)
        until(lambda: volume(tmp_path, kafka) == 6000, lambda: f"all are in the lake: {volume(tmp_path, kafka)}")
        assert pipeline.leaves(signal.SIGTERM) == 0


def test_windows_past_their_retention_vanish_from_the_lake_and_from_duckdb(topics: Topics, tmp_path: Path) -> None:
    kafka, minute = topics(1), 60_000
    services, now = Services(kafka), now_ms() - 10 * minute
    services.serve(*({"prediction_id": f"old{minutes}", "created_at": now - minutes * minute} for minutes in (200, 100, 5, 0)))
    caught_up(tmp_path, kafka, toml='[retention]\n10s = "10m"\n1m = "2h"\n')
    expected = {"10s": 2, "1m": 3, "1h": 4, "1d": 4}
    assert {window: volume(tmp_path, kafka, window) for window in expected} == expected
    # Retention counts back from the newest event. An event that is too old for the finest windows still reaches the coarser ones.
    services.serve({"prediction_id": "new", "created_at": now + 5 * minute}, {"prediction_id": "old", "created_at": now - 30 * minute})
    caught_up(tmp_path, kafka, toml='[retention]\n10s = "2m"\n1m = "61m"\n')
    expected = {"10s": 1, "1m": 4, "1h": 6, "1d": 6}
    assert {window: volume(tmp_path, kafka, window) for window in expected} == expected
    with duckdb.connect(str(tmp_path / "tower.duckdb"), read_only=True) as database:
        table = """SELECT count(*) FROM metric_windows WHERE "window" = ? AND model_version = '*'"""
        assert {window: database.execute(table, [window]).fetchone() for window in ("10s", "1m")} == {"10s": (1,), "1m": (4,)}


def test_windows_that_pass_their_retention_while_provisional_are_not_waited_for(topics: Topics, tmp_path: Path) -> None:
    kafka, at = topics(1), now_ms() - DAY
    services = Services(kafka)
    for step in range(3):
        services.serve({"prediction_id": f"p{step}", "created_at": at + step * 7 * 3_600_000})
        caught_up(tmp_path, kafka)
    state = PublisherState(publisher_folder(tmp_path), 2)
    ends = [int(end) for end, pane in state.open_ends() if int(pane) >> 58 == 0]
    state.close()
    assert ends
    assert min(ends) > at + 14 * 3_600_000


LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(,\d+)? )?(INFO|WARNING|ERROR|\[).{5,300}$")


def test_what_it_writes_are_lines_that_a_person_reads(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    services = Services(kafka)
    services.serve({"prediction_id": "a", "created_at": now_ms()}, {"prediction_id": "b", "created_at": "yesterday"})
    with Pipeline(tmp_path, kafka) as pipeline, Readers(kafka) as readers:
        readers.wait_for("prediction_volume", 1)
        assert pipeline.leaves(signal.SIGTERM) == 0
    lines = pipeline.output().splitlines()
    print("\n".join(lines))
    assert len(lines) < 20
    assert [line for line in lines if not LINE.match(line)] == []


def test_a_database_that_was_moved_away_is_made_anew(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(1)
    Services(kafka).serve(*({"prediction_id": f"p{hour}", "created_at": now_ms() - hour * 3_600_000} for hour in range(5)))
    caught_up(tmp_path, kafka)
    expected = {window: volume(tmp_path, kafka, window) for window in ("1h", "1d", "7d")}
    (tmp_path / "tower.duckdb").rename(tmp_path / "damaged.duckdb")
    shutil.rmtree(tmp_path / "lake")
    with Pipeline(tmp_path, kafka) as pipeline:
        until((tmp_path / "tower.duckdb").exists, lambda: "there is a new one")
        pipeline.kill()
    caught_up(tmp_path, kafka)
    assert {window: volume(tmp_path, kafka, window) for window in expected} == expected


@pytest.mark.parametrize("flags", [(), ("--processes", "2")], ids=["one process", "two processes"])
def test_partitions_that_are_added_are_read_without_a_restart_by_hand(
    flags: tuple[str, ...], topics: Topics, admin: AdminClient, tmp_path: Path
) -> None:
    kafka, at = topics(1), now_ms()
    services = Services(kafka)
    with Pipeline(tmp_path, kafka, *flags) as pipeline, Readers(kafka) as readers:
        services.serve({"prediction_id": "a", "created_at": at})
        readers.wait_for("prediction_volume", 1)
        admin.create_partitions([NewPartitions(PREDICTIONS, 3)])[PREDICTIONS].result()
        for partition in (1, 2):
            place(kafka, PREDICTIONS, partition, prediction(prediction_id=f"b{partition}", created_at=at))
        readers.wait_for("prediction_volume", 3)
        assert pipeline.process.poll() is None
        assert pipeline.leaves(signal.SIGTERM) == 0
    assert "new partitions (predictions/1, predictions/2)" in pipeline.output()
