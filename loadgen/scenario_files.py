"""Scenarios as files: found by their name or path, read, and refused with the field's path when they say what cannot be."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from loadgen.duration import decode_duration
from loadgen.plausible import Problem, not_finite, problems_of
from loadgen.scenario import Scenario
from schemas.errors import ConfigurationError

FOLDER = Path(__file__).parent / "scenarios"
"""The scenarios that have a name."""


def known_scenarios() -> list[str]:
    """Return the names of the scenarios that come with Control Tower."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_scenario(name: str) -> Scenario:
    """Return the scenario called `name`, or in the file `name` when it ends in `.toml`.

    Raises ConfigurationError when there is none, or when it says what cannot be.
    """
    known = known_scenarios()
    if name in known:
        return read_scenario(FOLDER / f"{name}.toml")
    if name.endswith(".toml"):
        if not Path(name).is_file():
            raise ConfigurationError(f"there is no scenario file {name}", "check the path")
        return read_scenario(Path(name))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigurationError(f"there is no scenario {name!r}", f"{hint}known are {', '.join(known)}, or give the path of a .toml file")


def read_scenario(path: Path) -> Scenario:
    """Return the scenario in the file `path`. Raises ConfigurationError that names the field when it is wrong."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        _refuse(not_finite(raw), path.name)
        scenario = msgspec.convert(raw, Scenario, dec_hook=decode_duration)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"scenario {path.name}: {error}", "see docs/loadgen.md for the format") from error
    _refuse(problems_of(scenario), path.name)
    return scenario


def _refuse(problems: Iterable[Problem], where: str) -> None:
    """Raise ConfigurationError for the first problem, with the path of its field."""
    for problem in problems:
        raise ConfigurationError(f"scenario {where}: {problem.what} - at `$.{problem.path}`", problem.mend)
