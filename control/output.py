"""The standard streams of a command: closed ones, full ones, and those whose reader has left."""

from __future__ import annotations

import io
import os
import select
import sys

from schemas.errors import TowerError

_GONE = select.POLLERR | select.POLLHUP


def open_standard_streams() -> None:
    """Put something in the place of closed ones: the next file that is opened would take it, and be written to by our children.

    Raises TowerError when stdout is closed: nobody would see what the command says.
    """
    closed = [number for number in (0, 1, 2) if not _is_open(number)]
    for number in closed:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if number == 2:
            sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8")
    if 1 in closed:
        raise TowerError("stdout is closed", "leave it open, or write to /dev/null")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def reader_has_left() -> bool:
    """Say whether stdout is a pipe that nobody reads any more."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return False
    poll = select.poll()
    poll.register(number, 0)
    return any(event & _GONE for _, event in poll.poll(0))


def discard_output() -> None:
    """Let what is still to be written to stdout vanish, also at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
