"""The days that come before: replayed once for a home, and resumed as the same events when that was interrupted."""

from __future__ import annotations

from pathlib import Path

import msgspec

from control.supervisor.readiness import COUNTED, DAY
from schemas.files import replace_file
from schemas.metrics import ALL

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


def published_days(home: Path) -> dict[tuple[str, int], int]:
    """Return how many predictions of each (model, day's start in epoch ms) an earlier run of the pipeline has exported."""
    # Imported when it is needed: every command loads this module, and DuckDB takes long.
    from query.lake import run_query

    names = ", ".join(f"'{name}'" for name in COUNTED)
    result = run_query(
        home,
        f"SELECT model, epoch_ms(window_start), sum(value)::BIGINT FROM metrics WHERE model_version = '{ALL}' AND segment = '{ALL}' "
        f"AND \"window\" = '{DAY}' AND dimension = '' AND metric IN ({names}) GROUP BY ALL",
    )
    return {(str(model), int(str(start))): int(str(count)) for batch in result.batches for model, start, count in batch}


def note_done(home: Path, history: History) -> None:
    """Remember that the home has its history."""
    _write(home, msgspec.structs.replace(history, done=True))


def _write(home: Path, history: History) -> None:
    replace_file(_marker(home), msgspec.json.encode(history))
