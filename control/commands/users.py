"""`./tower users`: who may sign in to the dashboard by a password."""

from __future__ import annotations

import argparse
import getpass
import sys

from control.commands.command import Invocation
from schemas.errors import ConfigurationError

NAME = "users"
HELP = "who may sign in to the dashboard by a password"
DESCRIPTION = (
    'Adds, removes and lists the users of access.login = "password". A password is asked for, or read as the first line '
    "of what is piped in. A running dashboard follows at once; whoever is removed or given another password is signed out."
)
_LEAST, _LONGEST, _LONGEST_NAME = 10, 1_024, 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="add|remove|list", required=True, parser_class=type(parser))
    add = actions.add_parser("add", help="add a user, or give one another password", allow_abbrev=False)
    add.add_argument("name", metavar="NAME")
    add.add_argument("--operator", action="store_true", help="one who may annotate, acknowledge and silence (default: a viewer)")
    remove = actions.add_parser("remove", help="remove a user", allow_abbrev=False)
    remove.add_argument("name", metavar="NAME")
    actions.add_parser("list", help="names and roles", allow_abbrev=False)


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Do it."""
    from dashboard.access.users import Users

    config = call.config()
    users = Users(config.home)
    if options.action == "add":
        if not 0 < len(options.name) <= _LONGEST_NAME or not options.name.isprintable() or options.name != options.name.strip():
            raise ConfigurationError(f"{options.name!r} is no name of a user", f"choose 1 to {_LONGEST_NAME} printable characters")
        users.set(options.name, _password(), operator=options.operator)
        if config.access.login != "password":
            print(f'tower: access.login is {config.access.login} - set it to "password" for users to sign in', file=sys.stderr)
    elif options.action == "remove":
        users.remove(options.name)
    else:
        for name, entry in sorted(users.all().items()):
            print(f"{name}\t{'operator' if entry.operator else 'viewer'}")
    return 0


def _password() -> str:
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise ConfigurationError("the two passwords differ", "try again")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not _LEAST <= len(password) <= _LONGEST:
        raise ConfigurationError(f"the password has {len(password)} characters", f"choose one of {_LEAST} to {_LONGEST}")
    return password
