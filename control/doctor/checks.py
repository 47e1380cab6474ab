"""All checks, in the order in which one depends on another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from confluent_kafka import KafkaException

from control.broker.jars import user_cache
from control.config import Config
from control.doctor import kafka, machine
from control.doctor.findings import Finding
from control.doctor.limits import check_limits
from control.ports import local_address, port_is_free
from control.supervisor.readiness import answers
from dashboard.access.safety import beyond_this_machine, require_safe
from schemas.errors import ConfigurationError


def findings(*, root: Path, environment: Mapping[str, str], load: Callable[[], Config], now_ms: int) -> Iterator[Finding]:
    """Yield the findings one by one; without a configuration that can be read there is nothing to check beyond the machine."""
    yield machine.check_python()
    yield machine.check_packages(root / "requirements.txt")
    yield machine.check_java()
    try:
        config = load()
    except ConfigurationError as error:
        yield Finding("config", False, error.what, error.mend)
        return
    yield Finding("config", True, f"{config.file or 'no tower.toml, defaults'}; home {config.home}")
    yield machine.check_disk(config.home)
    yield check_limits(config.home, config.pipeline.limits)
    settings = config.kafka
    if not settings.bootstrap_servers:
        yield kafka.check_jars(user_cache(environment))
        finding, address = kafka.check_embedded(config.home)
        yield finding
        settings = settings.embedded(address)
    newest_ms = None
    if settings.bootstrap_servers:
        try:
            checked = kafka.check_topics(settings)
            yield from checked.findings
            newest_ms = checked.newest_ms
        except ConfigurationError as error:
            yield Finding("broker", False, error.what, error.mend)
        except KafkaException as error:
            yield Finding("topics", False, f"cannot be described: {error.args[0].str()}", "check the permissions of kafka.options")
    yield machine.check_clock(now_ms, newest_ms, config.pipeline.max_future_ms)
    yield _check_access(config)
    yield _check_port(config)


def _check_access(config: Config) -> Finding:
    try:
        require_safe(config.dashboard, config.access)
    except ConfigurationError as error:
        return Finding("access", False, error.what, error.mend)
    names = beyond_this_machine(config.dashboard)
    return Finding(
        "access", True, f"login {config.access.login}; the dashboard is {f'at {names[0]}' if names else 'for this machine alone'}"
    )


def _check_port(config: Config) -> Finding:
    host, port = config.dashboard.host, config.dashboard.port
    if port_is_free(host, port):
        return Finding("dashboard", True, f"is not running; port {port} is free")
    if answers(f"{local_address(host, port)}/health"):
        return Finding("dashboard", True, f"answers on port {port}")
    return Finding("dashboard", False, f"port {port} is taken by something else", "set dashboard.port to another one")
