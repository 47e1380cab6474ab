"""`./tower test`: all tests, on a real Kafka and a real browser. The script `./tower` has installed what they need."""

from __future__ import annotations

import argparse
import os
import sys

from control.commands.command import Invocation
from schemas.errors import TowerError

NAME = "test"
HELP = "install what the tests need and run them"
DESCRIPTION = "Runs pytest with all further arguments, after installing what the tests need: their packages and a Chromium."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("pytest_arguments", nargs="*", metavar="PYTEST ARGS", help="passed on to pytest as they are")


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Become pytest, in the project's folder."""
    try:
        from control.chromium import ensure_chromium

        ensure_chromium()
    except ModuleNotFoundError as error:
        raise TowerError(f"the package {error.name} of the tests is missing", "run ./tower test, which installs it") from error
    os.chdir(call.root)
    sys.stdout.flush()
    environment = {**call.environment, "PYTHONPATH": str(call.root)}
    os.execve(sys.executable, [sys.executable, "-P", "-m", "pytest", *options.pytest_arguments], environment)
