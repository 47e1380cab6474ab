"""Whatever happens, in whatever order: every row equals the batch computation in the end.

`./tower test -m chaos` runs two short seeds. With `--chaos-seeds 1-50 --chaos-actions 40 --chaos-still 10-60` it is a night's work, and
`--chaos-seeds 17` does again what seed 17 did.
"""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest
from confluent_kafka.admin import AdminClient

from control.broker import EmbeddedBroker
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import ensure_topics
from tests.chaos.actions import ACTIONS
from tests.chaos.report import Account
from tests.chaos.world import World
from tests.conftest import PATIENT
from tests.oracle.batch import Configuration, compute
from tests.oracle.compare import compare
from tests.oracle.dead_letters import check_dead_letters, dead_letters
from tests.oracle.events import NOW, generate
from tests.oracle.published import keys_that_lie, lake_rows, message_rows
from tests.oracle.records import Record, lay_out
from tests.oracle.system import last_metrics

EVENTS = 2_500
AT_FIRST, IN_THE_END = 4, 6
"""Partitions of each event topic."""


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return lay_out(generate(EVENTS, seed=7, days=2), {"predictions": IN_THE_END, "outcomes": IN_THE_END}, seed=7)


@pytest.fixture(scope="module")
def expected(records: list[Record]) -> pa.Table:
    return compute(records)


@pytest.mark.chaos
@pytest.mark.slow
def test_whatever_happens_nothing_is_lost_and_nothing_counted_twice(
    seed: int, account: Account, records: list[Record], expected: pa.Table, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rng = random.Random(seed)
    actions = int(request.config.getoption("--chaos-actions"))
    shortest, _, longest = str(request.config.getoption("--chaos-still")).partition("-")
    still_s = float(shortest), float(longest or shortest)
    home, broker_home = tmp_path / "home", tmp_path / "kafka"
    with EmbeddedBroker(broker_home, PATIENT, report=print, progress=print) as kafka:
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=AT_FIRST)
        with World(home, broker_home, kafka, rng, records, AT_FIRST, still_s) as world:
            account.restarts = world.restarts
            for _ in range(actions):
                world.let_load_in(1 / (actions + 1))
                if rng.random() < 0.7:
                    world.see_it_publish()
                account.actions.append(rng.choice(ACTIONS)(world))
                world.keep_running()
            world.come_to_rest()
        judge(account, expected, records, home, kafka)


def judge(account: Account, expected: pa.Table, records: list[Record], home: Path, kafka: KafkaSettings) -> None:
    """Hold both outputs, and the dead letters, against what the events demand."""
    messages = last_metrics(kafka)
    assert keys_that_lie(messages) == []
    for rows in (lake_rows(home), message_rows(messages, NOW, Configuration())):
        comparison = compare(expected, rows)
        account.rows += comparison.agreeing
        account.differing = (account.differing or 0) + comparison.differing
        assert comparison.differing == 0, comparison.account
        assert comparison.agreeing == expected.num_rows
    assert check_dead_letters(records, dead_letters(kafka), once=False) == []
