"""Which limits on names have been reached: what is beyond them is in the metrics as `__other__`."""

from __future__ import annotations

from pathlib import Path

import orjson

from control.doctor.findings import Finding
from pipeline.settings import Limits
from pipeline.shard.admissions import KEY_SET, LIMIT_OF, Usage, admissions_file, usage
from schemas.errors import TowerError

_SHOWN = 3


def check_limits(home: Path, limits: Limits) -> Finding:
    """Nothing is folded for a limit that still holds. More sets of features than are kept only cost time, and are no fault."""
    try:
        found = usage(admissions_file(home))
    except TowerError as error:
        return Finding("limits", False, error.what, error.mend)
    reached = [one for one in found if one.folded and _limit(one, limits) <= one.allowed]
    reached.sort(key=lambda one: (one.kind == KEY_SET, -one.folded))
    mend = "raise the limit, or correct who sends so many; docs/configuration.md says what is beyond it"
    if reached:
        more = f" and {len(reached) - _SHOWN} more" if len(reached) > _SHOWN else ""
        seen = "; ".join(f"{_shown(one, limits)} is reached, {one.folded:,} times" for one in reached[:_SHOWN]) + more
        return Finding("limits", reached[0].kind == KEY_SET, seen, mend)
    fullest = max((one for one in found if one.kept), key=lambda one: one.kept / max(1, _limit(one, limits)), default=None)
    return Finding("limits", True, f"the fullest: {fullest.kept:,} of {_shown(fullest, limits)}" if fullest else "no names yet")


def _limit(one: Usage, limits: Limits) -> int:
    return int(getattr(limits, LIMIT_OF[one.kind]))


def _shown(one: Usage, limits: Limits) -> str:
    """Return `versions_per_model (100) of "churn"`; names are data, and may hold what a terminal would obey."""
    owner = ascii(orjson.loads(one.owner) if one.kind == "value" else one.owner)[:80]
    return f"limits.{LIMIT_OF[one.kind]} ({_limit(one, limits):,})" + (f" of {owner}" if one.owner else "")
