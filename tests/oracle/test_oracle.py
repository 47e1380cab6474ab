"""Every number that the pipeline publishes equals the batch computation over the same events, whatever happens on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.kafka import KafkaSettings
from schemas.topics import METRICS
from tests.oracle.batch import HOUR, RETENTION, Configuration, Rule, compute
from tests.oracle.compare import compare
from tests.oracle.dead_letters import check_dead_letters, dead_letters
from tests.oracle.events import NOW, generate
from tests.oracle.published import keys_that_lie, lake_rows, message_rows
from tests.oracle.records import Draft, Order, Record, in_order, lay_out
from tests.oracle.system import Log, PipelineProcess, catch_up, end_offset, last_metrics
from tests.waiting import wait_until

Topics = Callable[[int], KafkaSettings]
PARTITIONS = 4
MANY, SOME = 100_000, 8_000
SMALL_STEPS = """
[pipeline]
commit_interval = "1ms"
publish_interval = "1ms"
export_interval = "1s"
"""


def placed_many() -> list[Record]:
    """Return the large log, of nine days: its oldest events have left the newest rolling window."""
    return lay_out(generate(MANY, seed=1), {"predictions": PARTITIONS, "outcomes": PARTITIONS}, seed=1)


def placed_some(partitions: int = PARTITIONS) -> list[Record]:
    """Return the smaller log, of two days, in order of arrival and spread at random over the partitions."""
    return lay_out(generate(SOME, seed=7, days=2), {"predictions": partitions, "outcomes": partitions}, seed=7)


@pytest.fixture(scope="module")
def expected_of_some() -> pa.Table:
    """The rows of the smaller log; they do not depend on how it is laid out, as the tests of the batch computation show."""
    return compute(placed_some())


def assert_all_equal(expected: pa.Table, home: Path, kafka: KafkaSettings, configuration: Configuration | None = None) -> None:
    """Demand that both outputs of the pipeline, history and topic, hold exactly the expected rows."""
    assert expected.num_rows > 0
    messages = last_metrics(kafka)
    assert keys_that_lie(messages) == []
    for name, rows in (("history", lake_rows(home)), ("topic", message_rows(messages, NOW, configuration or Configuration()))):
        comparison = compare(expected, rows)
        assert comparison.differing == 0, f"{name}: {comparison.differing} rows differ, {comparison.agreeing} agree\n{comparison.account}"
        assert comparison.agreeing == expected.num_rows


@pytest.mark.slow
def test_every_row_equals_the_batch_computation_and_all_bad_input_is_a_dead_letter(topics: Topics, tmp_path: Path) -> None:
    records = placed_many()
    assert len(records) >= MANY
    kafka = topics(PARTITIONS)
    Log(kafka).write(records)
    catch_up(tmp_path, kafka)
    assert_all_equal(compute(records), tmp_path, kafka)
    assert check_dead_letters(records, dead_letters(kafka)) == []


@pytest.mark.slow
@pytest.mark.parametrize("partitions", [1, 7])
def test_the_number_of_partitions_changes_no_row(partitions: int, expected_of_some: pa.Table, topics: Topics, tmp_path: Path) -> None:
    kafka = topics(partitions)
    Log(kafka).write(placed_some(partitions))
    catch_up(tmp_path, kafka)
    assert_all_equal(expected_of_some, tmp_path, kafka)


@pytest.mark.slow
@pytest.mark.parametrize("order", [Order.OUTCOMES_FIRST, Order.PREDICTIONS_FIRST])
def test_a_topic_that_is_wholly_read_before_the_other_changes_no_row(
    order: Order, expected_of_some: pa.Table, topics: Topics, tmp_path: Path
) -> None:
    records = in_order(placed_some(), order)
    first = records[0].topic
    kafka = topics(PARTITIONS)
    log = Log(kafka)
    for half in ([r for r in records if r.topic == first], [r for r in records if r.topic != first]):
        log.write(half)
        catch_up(tmp_path, kafka)
    assert_all_equal(expected_of_some, tmp_path, kafka)


@pytest.mark.slow
def test_two_processes_change_no_row(expected_of_some: pa.Table, topics: Topics, tmp_path: Path) -> None:
    kafka = topics(PARTITIONS)
    records = placed_some()
    Log(kafka).write(records)
    catch_up(tmp_path, kafka, "--processes", "2")
    assert_all_equal(expected_of_some, tmp_path, kafka)
    assert check_dead_letters(records, dead_letters(kafka)) == []


@pytest.mark.slow
def test_reading_in_many_small_pieces_changes_no_row(expected_of_some: pa.Table, topics: Topics, tmp_path: Path) -> None:
    kafka = topics(PARTITIONS)
    records = placed_some()
    log = Log(kafka)
    quarter = len(records) // 4
    with PipelineProcess(tmp_path, kafka, toml=SMALL_STEPS) as process:
        for start in range(0, 3 * quarter, 500):
            log.write(records[start : min(start + 500, 3 * quarter)])
            assert process.runs_for(0.02), process.output()
        wait_until(lambda: end_offset(kafka, METRICS) > 0, "the pipeline publishes while it is fed")
    log.write(records[3 * quarter :])
    catch_up(tmp_path, kafka, toml=SMALL_STEPS)
    assert_all_equal(expected_of_some, tmp_path, kafka)


CONFIGURED = """
[retention]
10s = "20m"
1m = "3h"
1h = "30h"
7d = "2d"

[models.churn]
task = "multiclass"

[models.approval]
positive_class = "false"

[models."topics \\"v\\""]
positive_class = "news"

[models.grade]
positive_class = "3"

[models.price]
task = "regression"
"""
RULES = {
    "churn": Rule("multiclass"),
    "approval": Rule("", "i:0"),
    'topics "v"': Rule("", "s:news"),
    "grade": Rule("", "i:3"),
    "price": Rule("regression"),
}


@pytest.mark.slow
def test_configured_tasks_positive_classes_and_retention_hold(topics: Topics, tmp_path: Path) -> None:
    kafka = topics(PARTITIONS)
    records = placed_some()
    configuration = Configuration(retention={**RETENTION, "10s": HOUR // 3, "1m": 3 * HOUR, "1h": 30 * HOUR, "7d": 48 * HOUR}, rules=RULES)
    Log(kafka).write(records)
    catch_up(tmp_path, kafka, toml=CONFIGURED)
    assert_all_equal(compute(records, configuration), tmp_path, kafka, configuration)


def test_a_grossly_wrong_label_leaves_no_trace_once_it_is_corrected(topics: Topics, tmp_path: Path) -> None:
    def outcome(number: int, created: int, label: float, revenue: float) -> Draft:
        value = {"prediction_id": f"p{number}", "model": "price", "created_at": created, "label": label, "revenue_generated": revenue}
        return Draft("outcomes", None, json.dumps(value).encode(), created)

    predictions = [
        Draft(
            "predictions",
            None,
            json.dumps(
                {
                    "prediction_id": f"p{number}",
                    "model": "price",
                    "model_version": "v1",
                    "created_at": NOW - number,
                    "prediction": 10.5 + number,
                    "response_time_ms": 5,
                }
            ).encode(),
            number,
        )
        for number in range(5)
    ]
    wrong = [outcome(number, NOW - 100, 1e12 if number == 2 else 10.1 + number, 1e15 if number == 2 else 3.35) for number in range(5)]
    records = lay_out([*predictions, *wrong, outcome(2, NOW - 50, 12.7, 4.4)], {"predictions": PARTITIONS, "outcomes": 1}, seed=1)
    kafka = topics(PARTITIONS)
    log = Log(kafka)
    for part in (records[:-1], records[-1:]):
        log.write(part)
        catch_up(tmp_path, kafka)
    assert_all_equal(compute(records), tmp_path, kafka)
