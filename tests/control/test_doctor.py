"""`tower doctor` finds what is wrong, says the mend, and exits with 1."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from control.doctor.kafka import check_topics
from control.doctor.limits import check_limits
from control.doctor.machine import check_clock, check_disk, check_java, check_packages, check_python
from pipeline.columns import KeySet, Profile
from pipeline.settings import Limits
from pipeline.shard.admissions import HomeAdmissions, admissions_file
from pipeline.shard.names import NameTables
from schemas.kafka import KafkaSettings
from schemas.topics import PREDICTIONS
from tests.control.command_line import tower

NOW_MS = 1_800_000_000_000


def test_a_machine_that_is_well(tmp_path: Path) -> None:
    done = tower("doctor", home=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.rstrip().endswith("all is well")
    subjects = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("ok")}
    assert subjects >= {"python", "packages", "java", "config", "disk", "kafka", "broker", "clock", "dashboard"}


def test_a_kafka_that_is_away_and_a_configuration_that_is_wrong(tmp_path: Path) -> None:
    away = tower("doctor", home=tmp_path, more={"TOWER_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    assert away.returncode == 1
    assert "WRONG  broker       127.0.0.1:9 does not answer" in away.stdout
    assert "correct kafka.bootstrap_servers" in away.stdout
    wrong = tower("doctor", home=tmp_path, more={"TOWER_KAFKA__BOOTSTRAP": "127.0.0.1:9"})
    assert wrong.returncode == 1
    assert "did you mean TOWER_KAFKA__BOOTSTRAP_SERVERS?" in wrong.stdout


def test_topics_are_compared_with_the_contract(topics: Callable[[int], KafkaSettings], admin: AdminClient) -> None:
    kafka = topics(2)
    right = check_topics(kafka)
    assert [finding.right for finding in right.findings] == [True, True]
    assert "predictions (2)" in right.findings[1].seen
    entry = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, PREDICTIONS, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    wrong = check_topics(kafka).findings[-1]
    assert not wrong.right
    assert "predictions has cleanup.policy compact, expected delete" in str(wrong)


def test_missing_topics_are_named(new_kafka: KafkaSettings) -> None:
    finding = check_topics(new_kafka).findings[-1]
    assert not finding.right
    assert "missing: predictions, outcomes" in finding.seen


def test_a_package_that_is_not_the_locked_one_is_found(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    sums = " \\\n    --hash=sha256:00\n"
    lock.write_text(f"psutil=={metadata.version('psutil')}{sums}orjson==0.0.1{sums}no-such-package==1.0\n")
    finding = check_packages(lock)
    assert not finding.right
    assert finding.seen == f"orjson is {metadata.version('orjson')}, locked 0.0.1; no-such-package is missing, locked 1.0"


def test_the_clock_is_compared_with_the_brokers() -> None:
    assert check_clock(NOW_MS, None, 300_000).right
    assert check_clock(NOW_MS, NOW_MS + 299_000, 300_000).right
    behind = check_clock(NOW_MS, NOW_MS + 400_000, 300_000)
    assert not behind.right
    assert "is 400 s behind the broker's" in behind.seen
    assert not check_clock(0, None, 300_000).right


def test_the_disk_is_looked_at_where_the_home_will_be(tmp_path: Path) -> None:
    assert check_disk(tmp_path / "not" / "there" / "yet").right
    assert check_python().right is (sys.version_info[:2] in ((3, 11), (3, 12)))
    assert check_java().right


def test_a_limit_that_is_reached_is_told_until_it_is_raised(tmp_path: Path) -> None:
    assert check_limits(tmp_path, Limits()).seen == "no names yet"
    limits = Limits(versions_per_model=2, key_sets_per_model=0)
    admissions = HomeAdmissions(admissions_file(tmp_path))
    names = NameTables(limits, admissions)
    for version in range(2):
        names.profile(Profile("churn\x1b[2J\u202e", f"v{version}", (("region", "eu"),)))
    names.key_set(KeySet("churn\x1b[2J\u202e", ("age",)))
    admissions.settle()
    full = check_limits(tmp_path, limits)
    assert (full.right, full.seen) == (True, r"the fullest: 2 of limits.versions_per_model (2) of 'churn\x1b[2J\u202e'")
    names.profile(Profile("churn\x1b[2J\u202e", "v2", ()))
    admissions.close()
    wrong = check_limits(tmp_path, limits)
    told = r"limits.versions_per_model (2) of 'churn\x1b[2J\u202e' is reached, 1 times; limits.key_sets_per_model (0) of"
    assert (wrong.right, wrong.seen.startswith(told)) == (False, True)
    slow = check_limits(tmp_path, replace(limits, versions_per_model=3))
    assert (slow.right, slow.seen.startswith("limits.key_sets_per_model (0)")) == (True, True)
    assert check_limits(tmp_path, Limits()).seen.startswith("the fullest")
    admissions_file(tmp_path).write_bytes(b"no database")
    assert "move names.sqlite" in check_limits(tmp_path, limits).mend
