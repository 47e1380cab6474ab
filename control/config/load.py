"""All sources together: the configuration of every part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from control.broker.settings import BrokerSettings
from control.config.convert import convert
from control.config.sections import MODEL_KEYS, MODELS, OPTIONS, SECTIONS
from control.config.sources import (
    FILE_VARIABLE,
    HOME_VARIABLE,
    Setting,
    settings_from_environment,
    settings_from_file,
    settings_from_flags,
)
from dashboard.access.settings import AccessSettings
from dashboard.settings import DashboardSettings
from pipeline.settings import Limits, ModelSettings, PipelineSettings
from schemas.errors import ConfigurationError
from schemas.kafka import KafkaSettings

FILE_NAME = "tower.toml"
HOME_NAME = ".tower"


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration of all parts. `file` is the tower.toml that was read, if any."""

    home: Path
    file: Path | None
    kafka: KafkaSettings
    broker: BrokerSettings
    pipeline: PipelineSettings
    dashboard: DashboardSettings
    access: AccessSettings


def load_config(
    *, root: Path, environment: Mapping[str, str], home: Path | None = None, file: Path | None = None, assignments: Iterable[str] = ()
) -> Config:
    """Return the configuration: the file, over it the environment, over it the flags.

    `root` is the project's folder: the default home and `tower.toml` lie there, so that every folder that a command is
    called from means the same. `home`, `file` and `assignments` (`section.key=value`) are the flags.
    Raises ConfigurationError for an unknown key, which names the nearest one, or for a value that is not of its key's type.
    """
    file = _file(root, environment, file)
    settings = settings_from_file(file) if file else []
    settings += _with_known_models(settings_from_environment(environment), settings)
    settings += settings_from_flags(list(assignments))
    values: dict[tuple[str, ...], object] = {}
    for setting in settings:
        values[setting.path] = _converted(setting)
    home = _home(root, environment, home)
    pipeline = replace(
        PipelineSettings(),
        **_section(values, "pipeline"),
        retention_ms={**PipelineSettings().retention_ms, **_section(values, "retention")},
        limits=replace(Limits(), **_section(values, "limits")),
        models=_models(values),
    )
    options = {path[2]: cast("str", value) for path, value in values.items() if path[:2] == ("kafka", OPTIONS)}
    return Config(
        home=home,
        file=file,
        kafka=replace(KafkaSettings(), **_section(values, "kafka"), options=options),
        broker=replace(BrokerSettings(), **_section(values, "broker")),
        pipeline=pipeline,
        dashboard=replace(DashboardSettings(), **_section(values, "dashboard")),
        access=replace(AccessSettings(), **_section(values, "access")),
    )


def _home(root: Path, environment: Mapping[str, str], flag: Path | None) -> Path:
    home = flag or (Path(environment[HOME_VARIABLE]) if environment.get(HOME_VARIABLE) else root / HOME_NAME)
    home = home.expanduser().absolute()
    if "\\" in str(home):
        # It takes one for the end of a folder's name on every system, also in a pattern.
        raise ConfigurationError(f"the home {home} has a backslash in its path, with which DuckDB finds no file", "set another TOWER_HOME")
    return home


def _file(root: Path, environment: Mapping[str, str], flag: Path | None) -> Path | None:
    named = flag or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    if named is None:
        usual = root / FILE_NAME
        return usual if usual.is_file() else None
    if not named.is_file():
        raise ConfigurationError(f"the configuration file {named} does not exist", "name one that does, or leave it away")
    return named


def _with_known_models(settings: list[Setting], file: list[Setting]) -> list[Setting]:
    """Give models named in the environment the case they have in the file; in capitals and unknown there, they are lower case."""
    written = {setting.path[1].lower(): setting.path[1] for setting in file if setting.path[0] == MODELS}

    def named(model: str) -> str:
        return written.get(model.lower(), model.lower() if model.isupper() else model)

    return [replace(one, path=(MODELS, named(one.path[1]), one.path[2])) if one.path[0] == MODELS else one for one in settings]


def _converted(setting: Setting) -> object:
    name = ".".join(setting.path)
    if setting.path[:2] == ("kafka", OPTIONS):
        value = setting.value
        return str(value).lower() if isinstance(value, bool) else str(value)
    key = MODEL_KEYS[setting.path[2]] if setting.path[0] == MODELS else SECTIONS[setting.path[0]][setting.path[1]]
    return convert(key, setting.value, name, setting.origin)


def _section(values: Mapping[tuple[str, ...], object], section: str) -> dict[str, Any]:
    """Return the fields of a section's dataclass that are set."""
    return {SECTIONS[section][path[1]].field: value for path, value in values.items() if path[0] == section and len(path) == 2}


def _models(values: Mapping[tuple[str, ...], object]) -> dict[str, ModelSettings]:
    fields: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        if path[0] == MODELS:
            fields.setdefault(path[1], {})[MODEL_KEYS[path[2]].field] = value
    return {model: ModelSettings(**known) for model, known in fields.items()}
