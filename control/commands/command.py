"""What every command gets: its options, the project's folder, the environment, and the configuration when it asks for it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from control.config import Config, load_config
from control.config.sources import ASSIGNMENTS_VARIABLE, inherited_assignments
from control.console import Console
from control.interruption import Interruption
from control.supervisor.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of the command line."""

    root: Path
    environment: Mapping[str, str]
    options: argparse.Namespace
    interruption: Interruption = field(default_factory=Interruption)

    def config(self, **flags: object) -> Config:
        """Return the configuration; `flags` (`dashboard__port=7000`) are a command's own, and those that are None are not set.

        Raises ConfigurationError.
        """
        named = [f"{name.replace('__', '.')}={value}" for name, value in flags.items() if value is not None]
        return load_config(
            root=self.root,
            environment=self.environment,
            home=getattr(self.options, "home", None),
            file=getattr(self.options, "config", None),
            assignments=[*self._assignments(), *named],
        )

    def common_flags(self) -> list[str]:
        """Return the common flags of this call, for a command that is started by this one; `--set` is in `environment_of_parts`."""
        flags = []
        for name in ("home", "config"):
            if (value := getattr(self.options, name, None)) is not None:
                flags.append(f"--{name}={Path(value).absolute()}")
        if getattr(self.options, "debug", False):
            flags.append("--debug")
        return flags

    def environment_of_parts(self) -> dict[str, str]:
        """Return the environment for a command that is started by this one.

        It has what `--set` has set: everybody on the machine can read a command line, and a value may be a secret.
        """
        return {**self.environment, ASSIGNMENTS_VARIABLE: json.dumps(self._assignments())}

    def supervisor(self, home: Path, console: Console) -> Supervisor:
        """Return what starts other commands on a home, with the flags and the environment of this call."""
        environment = self.environment_of_parts()
        return Supervisor(home=home, root=self.root, flags=self.common_flags(), environment=environment, console=console)

    def _assignments(self) -> list[str]:
        flags = [*getattr(self.options, "set_before", []), *getattr(self.options, "set", [])]
        return [*inherited_assignments(self.environment), *flags]


class Command(Protocol):
    """What a module in `control/commands` offers."""

    NAME: str
    HELP: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments."""

    def run(self, options: argparse.Namespace, call: Invocation) -> int:
        """Do it and return the exit code."""
