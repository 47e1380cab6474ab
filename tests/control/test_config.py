"""Configuration: the file, over it the environment, over it the flags; a name that nobody knows is an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from control.broker.settings import BrokerSettings
from control.config import Config, load_config
from control.config.sections import SECTIONS, all_names
from control.config.sources import variable_name
from dashboard.access.settings import AccessSettings
from dashboard.settings import DashboardSettings
from pipeline.settings import Limits, PipelineSettings
from schemas.errors import ConfigurationError
from schemas.kafka import KafkaSettings

EXAMPLE = """
[kafka]
bootstrap_servers = "one:9092,two:9092"
event_partitions = 8
[kafka.options]
security.protocol = "SASL_SSL"
"sasl.mechanism" = "PLAIN"
[pipeline]
allowed_lateness = "2m"
processes = 2
[retention]
10s = "36h"
[limits]
models = 5
[models.Churn]
task = "binary"
positive_class = 1
classes = [0, 1]
label_horizon = "15d"
[dashboard]
port = 7000
allowed_origins = ["tower.example:443"]
"""


def load(tmp_path: Path, text: str = "", environment: Mapping[str, str] | None = None, flags: list[str] | None = None) -> Config:
    if text:
        (tmp_path / "tower.toml").write_text(text)
    return load_config(root=tmp_path, environment=environment or {}, assignments=flags or [])


def test_nothing_configured_gives_the_defaults_of_the_parts(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert (config.kafka, config.pipeline, config.dashboard) == (KafkaSettings(), PipelineSettings(), DashboardSettings())
    assert (config.home, config.file) == (tmp_path / ".tower", None)


def test_the_file_sets_every_kind_of_value(tmp_path: Path) -> None:
    config = load(tmp_path, EXAMPLE)
    assert config.kafka.bootstrap_servers == "one:9092,two:9092"
    assert config.kafka.event_partitions == 8
    assert config.kafka.options == {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}
    assert config.pipeline.allowed_lateness_ms == 120_000
    assert config.pipeline.processes == 2
    assert config.pipeline.retention_ms["10s"] == 36 * 3_600_000
    assert config.pipeline.retention_ms["1m"] == PipelineSettings().retention_ms["1m"]
    assert config.pipeline.limits == dataclasses.replace(Limits(), models=5)
    model = config.pipeline.models["Churn"]
    assert (model.task, model.positive_class, model.classes, model.label_horizon_ms) == ("binary", "1", ["0", "1"], 15 * 86_400_000)
    assert config.dashboard.port == 7000
    assert config.dashboard.allowed_origins == ["tower.example:443"]


def test_the_environment_is_over_the_file_and_flags_are_over_both(tmp_path: Path) -> None:
    environment = {"TOWER_DASHBOARD__PORT": "8000", "TOWER_PIPELINE__PROCESSES": "3", "TOWER_RETENTION__10S": "15d"}
    config = load(tmp_path, EXAMPLE, environment, ["dashboard.port=9000"])
    assert config.dashboard.port == 9000
    assert config.pipeline.processes == 3
    assert config.pipeline.retention_ms["10s"] == 15 * 86_400_000
    assert config.kafka.event_partitions == 8


def test_names_in_the_environment_are_read_without_regard_to_case(tmp_path: Path) -> None:
    environment = {
        "TOWER_kafka__Bootstrap_Servers": "three:9092",
        "TOWER_KAFKA__OPTIONS__SECURITY_PROTOCOL": "SSL",
        "TOWER_MODELS__CHURN__POSITIVE_CLASS": "yes",
        "TOWER_MODELS__NEW__TASK": "regression",
        "TOWER_DASHBOARD__ALLOWED_ORIGINS": "a:1, b:2",
    }
    config = load(tmp_path, EXAMPLE, environment)
    assert config.kafka.bootstrap_servers == "three:9092"
    assert config.kafka.options["security.protocol"] == "SSL"
    assert config.kafka.options["sasl.mechanism"] == "PLAIN"
    assert config.pipeline.models["Churn"].positive_class == "yes"
    assert config.pipeline.models["new"].task == "regression"
    assert config.dashboard.allowed_origins == ["a:1", "b:2"]


def test_the_home_and_the_file_can_be_named(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[dashboard]\nport = 1234\n")
    config = load_config(root=tmp_path, environment={"TOWER_HOME": str(tmp_path / "home"), "TOWER_CONFIG": str(other)})
    assert (config.home, config.file, config.dashboard.port) == (tmp_path / "home", other, 1234)
    assert load_config(root=tmp_path, environment={"TOWER_HOME": "/nowhere"}, home=tmp_path / "flag").home == tmp_path / "flag"
    with pytest.raises(ConfigurationError, match="has a backslash in its path"):
        load_config(root=tmp_path, environment={}, home=tmp_path / "a\\b")


@pytest.mark.parametrize(
    ("environment", "nearest"),
    [
        ({"TOWER_KAFKA__BOOTSTRAP_SERVER": "x"}, "TOWER_KAFKA__BOOTSTRAP_SERVERS"),
        ({"TOWER_KAFKA_BOOTSTRAP_SERVERS": "x"}, "TOWER_KAFKA__BOOTSTRAP_SERVERS"),
        ({"TOWER_PIPELINE__BOOTSTRAP_SERVERS": "x"}, "TOWER_KAFKA__BOOTSTRAP_SERVERS"),
        ({"TOWER_RETENTION__10": "1h"}, "TOWER_RETENTION__10S"),
        ({"TOWER_MODELS__CHURN__TASKS": "binary"}, "TOWER_MODELS__NAME__TASK"),
        ({"TOWER_HOEM": "x"}, "TOWER_HOME"),
    ],
)
def test_an_unknown_variable_names_the_nearest_known_one(tmp_path: Path, environment: dict[str, str], nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{next(iter(environment))}.*did you mean {nearest}\?"):
        load(tmp_path, environment=environment)


def test_an_unknown_key_in_the_file_or_a_flag_names_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"tower\.toml: unknown key pipeline.alowed_lateness - did you mean pipeline.allowed_lateness\?"
    ):
        load(tmp_path, '[pipeline]\nalowed_lateness = "1m"\n')
    with pytest.raises(ConfigurationError, match=r"unknown key kafka - did you mean"):
        load(tmp_path, 'kafka = "localhost:9092"\n')
    with pytest.raises(ConfigurationError, match=r"--set dashboard\.prot: unknown key dashboard\.prot - did you mean dashboard\.port\?"):
        load_config(root=tmp_path / "empty", environment={}, assignments=["dashboard.prot=1"])


def test_variables_that_other_systems_set_are_left_alone(tmp_path: Path) -> None:
    load(tmp_path, environment={"TOWER_PORT": "tcp://10.0.0.1:80", "TOWER_SERVICE_HOST": "10.0.0.1", "TOWER_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[pipeline]\nallowed_lateness = "soon"\n', "pipeline.allowed_lateness: 'soon' is not a duration"),
        ("[pipeline]\nallowed_lateness = 60\n", "pipeline.allowed_lateness: 60 is not a duration"),
        ('[pipeline]\nprocesses = "many"\n', "pipeline.processes: expected a whole number"),
        ("[pipeline]\nprocesses = -1\n", "pipeline.processes: expected a whole number"),
        ("[kafka]\nbootstrap_servers = [1]\n", "kafka.bootstrap_servers: expected text"),
        ("[dashboard]\nallowed_origins = 5\n", "dashboard.allowed_origins: expected a list"),
        ("[dashboard\n", "is not valid TOML"),
        ('[models]\nchurn = "binary"\n', "models.churn is not a section"),
        ('[kafka]\noptions = "x"\n', "kafka.options is a section"),
    ],
)
def test_a_wrong_value_says_where_and_what_is_expected(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, text)
    assert expected in str(error.value)
    assert str(tmp_path / "tower.toml") in str(error.value)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


def test_a_missing_file_that_was_named_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_config(root=tmp_path, environment={"TOWER_CONFIG": str(tmp_path / "no.toml")})


def test_every_setting_of_every_part_can_be_set_by_its_variable(tmp_path: Path) -> None:
    """Whatever is added to a part's dataclass is in the configuration by itself."""
    given = {"duration": "7m", int: "7", bool: "true", str: "seven", float: "7.5", list[str]: "seven"}
    for section, keys in SECTIONS.items():
        for key in keys.values():
            if (section, key.name) == ("kafka", "options"):
                continue
            text = given["duration" if key.is_duration else key.kind]
            config = load(tmp_path, environment={variable_name(f"{section}.{key.name}"): text})
            parts = {
                "kafka": config.kafka,
                "broker": config.broker,
                "pipeline": config.pipeline,
                "limits": config.pipeline.limits,
                "dashboard": config.dashboard,
                "access": config.access,
            }
            value = config.pipeline.retention_ms[key.field] if section == "retention" else getattr(parts[section], key.field)
            assert (
                value == {"7m": 420_000, "7": 7, "true": True, "seven": ["seven"] if key.kind == list[str] else "seven", "7.5": 7.5}[text]
            )


def test_all_fields_of_the_dataclasses_are_keys() -> None:
    names = set(all_names())
    for section, settings in (
        ("kafka", KafkaSettings),
        ("broker", BrokerSettings),
        ("dashboard", DashboardSettings),
        ("access", AccessSettings),
        ("limits", Limits),
    ):
        for field in dataclasses.fields(settings):
            assert f"{section}.{field.name.removesuffix('_ms')}" in names
