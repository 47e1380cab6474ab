"""What every command gets: its options, the project's folder, the environment, and the configuration when it asks for it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from control.config import Config, load_config


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of the command line."""

    root: Path
    environment: Mapping[str, str]
    options: argparse.Namespace

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
            assignments=[*getattr(self.options, "set", []), *named],
        )

    def common_flags(self) -> list[str]:
        """Return the common flags of this call, for a command that is started by this one."""
        flags = []
        for name in ("home", "config"):
            if (value := getattr(self.options, name, None)) is not None:
                flags.append(f"--{name}={Path(value).absolute()}")
        flags += [f"--set={assignment}" for assignment in getattr(self.options, "set", [])]
        if getattr(self.options, "debug", False):
            flags.append("--debug")
        return flags


class Command(Protocol):
    """What a module in `control/commands` offers."""

    NAME: str
    HELP: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments."""

    def run(self, options: argparse.Namespace, call: Invocation) -> int:
        """Do it and return the exit code."""
