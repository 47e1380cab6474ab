"""The Docker files cannot run in the tests; they are held to the Compose specification, and to what the code has and expects."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from control.broker.jars import read_lock
from control.broker.settings import BrokerSettings, Ports, server_properties
from control.cli import build_parser
from control.config import load_config, settings_from_environment
from control.config.sources import HOME_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "infra" / "docker-compose.yml"
DOCKERFILE = (ROOT / "infra" / "Dockerfile").read_text(encoding="utf-8")
# As published with Docker Compose (Apache License 2.0).
SPECIFICATION = Path(__file__).with_name("compose-spec.json")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose["services"].items() if service.get("image") == "control-tower"}


def instruction(name: str) -> list[str]:
    """Return the arguments of all instructions of that name in the Dockerfile."""
    return re.findall(rf"^{name} (.+)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


def test_compose_file_follows_the_specification(compose: dict[str, Any]) -> None:
    # `name` at the top came into the specification after the version that has been published with a program.
    jsonschema.Draft201909Validator(json.loads(SPECIFICATION.read_text())).validate(
        {key: value for key, value in compose.items() if key != "name"}
    )


def test_the_specification_finds_a_slip(compose: dict[str, Any]) -> None:
    broken = {"services": {"pipeline": {**compose["services"]["pipeline"], "comand": ["pipeline"]}}}
    with pytest.raises(jsonschema.ValidationError, match="comand"):
        jsonschema.Draft201909Validator(json.loads(SPECIFICATION.read_text())).validate(broken)


def test_every_name_that_is_used_is_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service["networks"]) <= set(compose["networks"])
        assert {volume.split(":")[0] for volume in service["volumes"]} <= set(compose["volumes"])
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert service["healthcheck"]["test"][0] == "CMD"
    assert not compose["networks"]["alerts"].get("internal")
    assert "alerts" in compose["services"]["kafka"]["networks"]


def test_commands_are_those_of_the_code(compose: dict[str, Any]) -> None:
    parser = build_parser()
    assert set(ours(compose)) == {"pipeline", "dashboard"}
    for name, service in ours(compose).items():
        assert parser.parse_args(service["command"]).command == name
    assert json.loads(instruction("ENTRYPOINT")[0]) == ["python", "-P", "-m", "control"]
    parser.parse_args(json.loads(instruction("CMD")[0]))
    assert compose["services"]["pipeline"]["healthcheck"]["test"] == ["CMD", "python", "-P", "-m", "control", "doctor"]
    parser.parse_args(["doctor"])


def test_environment_names_are_those_of_the_configuration(compose: dict[str, Any]) -> None:
    for service in ours(compose).values():
        environment = service["environment"]
        settings = settings_from_environment(environment)
        assert len(settings) == len(environment) - 1
        assert HOME_VARIABLE in environment
        config = load_config(root=ROOT, environment=environment)
        assert config.kafka.bootstrap_servers == "kafka:9092"
        assert f"{HOME_VARIABLE}={config.home}" in instruction("ENV")[0]
        assert f"tower-home:{config.home}" in service["volumes"][0]
    assert load_config(root=ROOT, environment=compose["services"]["dashboard"]["environment"]).dashboard.host == "0.0.0.0"


def test_the_dashboards_port_is_the_same_everywhere(compose: dict[str, Any]) -> None:
    service = compose["services"]["dashboard"]
    config = load_config(root=ROOT, environment={})
    port = str(config.dashboard.port)
    assert build_parser().parse_args(service["command"]).port == config.dashboard.port
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert instruction("EXPOSE") == [port]
    assert f":{port}/health" in service["healthcheck"]["test"][-1]


def test_kafka_is_the_version_and_has_the_settings_of_the_embedded_one(compose: dict[str, Any]) -> None:
    service = compose["services"]["kafka"]
    assert service["image"] == f"apache/kafka:{read_lock().version}"
    embedded = dict(line.split("=", 1) for line in server_properties(BrokerSettings(), Ports(9092, 9093)).splitlines())
    named = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in service["environment"].items()}
    # What Docker decides: where it listens, and where its log lies; the heap is no property of the server.
    elsewhere = {"listeners", "advertised.listeners", "listener.security.protocol.map", "controller.quorum.voters", "log.dirs", "heap.opts"}
    assert {name: value for name, value in named.items() if name not in elsewhere} == {
        name: embedded[name] for name in named if name not in elsewhere
    }
    assert f"kafka-data:{named['log.dirs']}" in service["volumes"]
    assert "PLAINTEXT://kafka:9092" in named["advertised.listeners"]
    assert service["ports"] == ["127.0.0.1:9094:9094"]


def test_nothing_runs_as_root_and_all_that_it_needs_is_copied(compose: dict[str, Any]) -> None:
    assert instruction("USER") == ["tower"]
    assert DOCKERFILE.index("\nUSER ") > DOCKERFILE.rindex("\nRUN ")
    copied = {line.split()[0] for line in instruction("COPY") if not line.startswith("--from")}
    assert copied == {"requirements.txt", "schemas", "pipeline", "dashboard", "loadgen", "control", "query"}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed
    for name in copied:
        assert (ROOT / name).exists()
    for service in ours(compose).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["build"] == {"context": "..", "dockerfile": "infra/Dockerfile"}


def test_its_python_is_one_that_is_supported() -> None:
    versions = {re.search(r"python:(\d+\.\d+)", line)[1] for line in instruction("FROM")}  # type: ignore[index]
    assert versions == {"3.12"}
