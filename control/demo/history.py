"""The days that come before: replayed once for a home, and resumed as the same events when that was interrupted."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

SCENARIO = "demo"
DAYS = 8.0


class History(msgspec.Struct, frozen=True):
    """When the history of a home ends (epoch ms), its seed, and whether all of it is in Kafka."""

    until_ms: int
    seed: int
    done: bool = False


def _marker(home: Path) -> Path:
    return home / "run" / "history.json"


def wanted_history(home: Path, now_ms: int, seed: int) -> History | None:
    """Return the history to replay, or None when the home has it.

    An interrupted one is returned as it was begun: the same events have the same ids, and count once.
    """
    try:
        begun = msgspec.json.decode(_marker(home).read_bytes(), type=History)
    except (FileNotFoundError, msgspec.DecodeError):
        begun = History(now_ms, seed)
        _write(home, begun)
    return None if begun.done else begun


def note_done(home: Path, history: History) -> None:
    """Remember that the home has its history."""
    _write(home, msgspec.structs.replace(history, done=True))


def _write(home: Path, history: History) -> None:
    path = _marker(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(history))
    os.replace(beside, path)
