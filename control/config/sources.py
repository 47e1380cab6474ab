"""The file, the environment and the flags, as raw values that know where they came from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import msgspec

from control.config.sections import MODEL_KEYS, MODELS, OPTIONS, SECTIONS, all_names
from schemas.errors import ConfigurationError

HOME_VARIABLE = "TOWER_HOME"
FILE_VARIABLE = "TOWER_CONFIG"
ASSIGNMENTS_VARIABLE = "TOWER_ASSIGNMENTS"
_PREFIX = "TOWER_"
_SEPARATOR = "__"
_NAME = re.compile(r"[\w.-]*")


@dataclass(frozen=True, slots=True)
class Setting:
    """One value: its path (`("kafka", "bootstrap_servers")`, `("models", "churn", "task")`), and where it was set, for messages.

    `value` is what TOML gives, or text when it comes from the environment or a flag.
    """

    path: tuple[str, ...]
    value: object
    origin: str


def settings_from_file(path: Path) -> list[Setting]:
    """Return what a `tower.toml` sets. Raises ConfigurationError when it is no TOML or has an unknown key."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}", "correct that line") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text", "save it as UTF-8") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
    settings: list[Setting] = []
    for section, content in document.items():
        if section == MODELS and isinstance(content, dict):
            for model, keys in content.items():
                if not isinstance(keys, dict):
                    raise ConfigurationError(f"{path}: {MODELS}.{model} is not a section", f"write [{MODELS}.{model}] and its keys below")
                settings += [_known(Setting((MODELS, model, key), value, str(path))) for key, value in keys.items()]
        elif isinstance(content, dict):
            for key, value in content.items():
                settings += _key_of_file(section, key, value, str(path))
        else:
            raise _unknown(section, str(path))
    return settings


def _key_of_file(section: str, key: str, value: object, origin: str) -> list[Setting]:
    if (section, key) == ("kafka", OPTIONS) and isinstance(value, dict):
        return [Setting((section, OPTIONS, name), text, origin) for name, text in _dotted(value).items()]
    return [_known(Setting((section, key), value, origin))]


def _dotted(options: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Undo TOML's reading of `security.protocol = ...` as a table within a table."""
    flat: dict[str, object] = {}
    for name, value in options.items():
        if isinstance(value, dict):
            flat |= _dotted(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def settings_from_environment(environment: Mapping[str, str]) -> list[Setting]:
    """Return what `TOWER_SECTION__KEY` variables set; sections and keys are read without regard to case.

    Raises ConfigurationError for an unknown section or key. A variable without `__` is not a setting; some systems
    set such names themselves (a service named `tower` gets TOWER_PORT in Kubernetes), so only a plain slip is an error.
    """
    settings = []
    slips = {_PREFIX + name.replace(".", "_").upper(): name for name in all_names()}
    for variable, value in sorted(environment.items()):
        if not variable.upper().startswith(_PREFIX) or variable in (HOME_VARIABLE, FILE_VARIABLE):
            continue
        parts = variable[len(_PREFIX) :].split(_SEPARATOR)
        if len(parts) > 1:
            settings.append(_setting_of_variable(variable, parts, value))
        elif (name := slips.get(variable.upper())) is not None:
            raise ConfigurationError(f"environment variable {variable} is not known", f"did you mean {variable_name(name)}?")
        elif meant := get_close_matches(variable, [HOME_VARIABLE, FILE_VARIABLE], n=1, cutoff=0.85):
            raise ConfigurationError(f"environment variable {variable} is not known", f"did you mean {meant[0]}?")
    return settings


def _setting_of_variable(variable: str, parts: list[str], value: str) -> Setting:
    section, origin = parts[0].lower(), f"environment variable {variable}"
    if section == MODELS and len(parts) == 3:
        return _known(Setting((MODELS, parts[1], parts[2].lower()), value, origin))
    if section == "kafka" and len(parts) == 3 and parts[1].lower() == OPTIONS:
        # librdkafka separates the words of its names by dots.
        return Setting((section, OPTIONS, parts[2].lower().replace("_", ".")), value, origin)
    return _known(Setting((section, _SEPARATOR.join(parts[1:]).lower()), value, origin))


def inherited_assignments(environment: Mapping[str, str]) -> list[str]:
    """Return the assignments of the command that started this one, a JSON array in `TOWER_ASSIGNMENTS`. Raises ConfigurationError."""
    try:
        return msgspec.json.decode(environment.get(ASSIGNMENTS_VARIABLE, "[]"), type=list[str])
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{ASSIGNMENTS_VARIABLE} is no array of texts", "do not set it by hand") from error


def settings_from_flags(assignments: list[str]) -> list[Setting]:
    """Return what `--set section.key=value` flags set. Raises ConfigurationError for a malformed one or an unknown key."""
    settings = []
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        # Without the value, which may be a secret; in a malformed one it may begin anywhere.
        origin = f"--set {name if equals else ''.join(_NAME.findall(assignment)[:1]) + '...'}"
        path = tuple(name.strip().split("."))
        if not equals or len(path) < 2:
            raise ConfigurationError(
                f"{origin} is not understood", "write --set section.key=value, as in --set pipeline.allowed_lateness=2m"
            )
        if path[:2] == ("kafka", OPTIONS):
            settings.append(Setting(("kafka", OPTIONS, ".".join(path[2:])), value, origin))
        elif path[0] == MODELS and len(path) > 2:
            settings.append(_known(Setting((MODELS, ".".join(path[1:-1]), path[-1]), value, origin)))
        else:
            settings.append(_known(Setting((path[0], ".".join(path[1:])), value, origin)))
    return settings


def variable_name(name: str) -> str:
    """Return the environment variable of `section.key`."""
    return _PREFIX + name.replace(".", _SEPARATOR).upper()


def _known(setting: Setting) -> Setting:
    """Return the setting. Raises ConfigurationError when there is no such key."""
    section, key = setting.path[0], setting.path[-1]
    keys = MODEL_KEYS if section == MODELS and len(setting.path) == 3 else SECTIONS.get(section, {})
    if key not in keys:
        raise _unknown(".".join(setting.path), setting.origin)
    if setting.path == ("kafka", OPTIONS):
        raise ConfigurationError(
            f"{setting.origin}: kafka.options is a section", "set each option by itself, as in TOWER_KAFKA__OPTIONS__SECURITY_PROTOCOL"
        )
    return setting


def _unknown(name: str, origin: str) -> ConfigurationError:
    known = all_names()
    section, _, key = name.rpartition(".")
    # A key that belongs to another section is as near as one with a slip in it.
    candidates = get_close_matches(name, known, n=1, cutoff=0.0)
    same_key = [one for one in known if one.rpartition(".")[2] == key]
    same_section = get_close_matches(name, [one for one in known if one.rpartition(".")[0] == section], n=1, cutoff=0.6)
    nearest = (same_key or same_section or candidates)[0]
    if origin.startswith("environment"):
        nearest = variable_name(nearest)
    return ConfigurationError(f"{origin}: unknown key {name}", f"did you mean {nearest}?")
