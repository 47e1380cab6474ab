"""The command line: arguments in, exit code out; errors as one line.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
"""

from __future__ import annotations

import argparse
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from control.commands import COMMANDS
from control.commands.command import Invocation
from control.interruption import Interruption
from control.lifeline import hold_lifeline
from control.output import discard_output, open_standard_streams, reader_has_left
from schemas.errors import ConfigurationError, TowerError

ROOT = Path(__file__).resolve().parents[1]
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all of ours."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(message, f"see {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="tower",
        description="Control Tower watches AI models in production.",
        parents=[_common("set_before")],
        allow_abbrev=False,
    )
    common = _common("set")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for command in COMMANDS:
        one = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.DESCRIPTION,
            parents=[common],
            allow_abbrev=False,
            prog=f"tower {command.NAME}",
        )
        command.add_arguments(one)
        one.set_defaults(run=command.run)
    return parser


def _common(assignments: str) -> _Parser:
    """Return the flags that may stand before and after the command; what stands after it holds.

    The `--set` of both places hold together, so that they are kept under two names.
    """
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("common to all commands")
    group.add_argument("--home", type=Path, metavar="FOLDER", help="where everything is written (TOWER_HOME; default: .tower)")
    group.add_argument("--config", type=Path, metavar="FILE", help="the configuration (TOWER_CONFIG; default: tower.toml)")
    group.add_argument(
        "--set", action="append", dest=assignments, metavar="SECTION.KEY=VALUE", help="one configuration value; repeat for more"
    )
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return common


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one command and return its exit code. A SIGTERM is a Ctrl-C, unless the command has its own way with it."""
    debug = "--debug" in arguments
    interruption = Interruption()
    interruption.listen()
    # Whoever started us may ignore it, and then the exit codes of our children would be lost.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        open_standard_streams()
        hold_lifeline(environment)
        options = build_parser().parse_args(_own_arguments(arguments))
        code = int(options.run(options, Invocation(ROOT, environment, options, interruption)))
        sys.stdout.flush()
        return code
    except TowerError as error:
        return _failed(str(error), error.exit_code, debug)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except UnicodeEncodeError as error:
        return _failed(
            f"{error.object[error.start : error.end]!r} cannot be written in {error.encoding} - set PYTHONIOENCODING=utf-8", 1, debug
        )
    except Exception as error:
        if isinstance(error, BrokenPipeError) and reader_has_left():
            # `tower query ... | head`: it has what it wanted.
            discard_output()
            return 0
        cause = _first_cause(error)
        if isinstance(cause, TowerError):
            return _failed(str(cause), cause.exit_code, debug)
        if interruption.came:
            # A module that was being imported, or a library, has made an error of its own of the KeyboardInterrupt.
            return _INTERRUPTED
        return _failed(f"unexpected {type(cause).__name__}: {cause} - run it again with --debug to see where", 1, debug)
    finally:
        _flush_or_discard()


def _flush_or_discard() -> None:
    """Leave nothing in the buffer of stdout that cannot be written: Python would complain about it at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        discard_output()


def _own_arguments(arguments: Sequence[str]) -> list[str]:
    """Hide pytest's arguments from our parser: all that follows `test` is pytest's, also what looks like a flag of ours."""
    if "test" in arguments[:1]:
        return ["test", "--", *[one for one in arguments[1:] if one != "--debug"]]
    return list(arguments)


def _failed(message: str, exit_code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"tower: {' '.join(message.split())}", file=sys.stderr)
    return exit_code


def _first_cause(error: BaseException) -> BaseException:
    """Return what an error was raised from: Bytewax wraps ours in several of its own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
