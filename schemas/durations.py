"""Lengths of time as people write them (`90s`, `15m`, `36h`, `15d`), in milliseconds."""

from __future__ import annotations

import re

from schemas.errors import ConfigurationError

MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
_LONGEST_MS = 10_000 * MILLISECONDS["y"]
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")


def parse_duration(text: str) -> int:
    """Return `text` (`"250ms"`, `"1h30m"`) in milliseconds.

    Raises ConfigurationError when the text is not a sequence of numbers with units.
    """
    cleaned = text.strip().lower()
    parts = _PART.findall(cleaned)
    if not parts or "".join(number + unit for number, unit in parts) != cleaned:
        raise ConfigurationError(f"{text!r} is not a duration", "write a number and a unit: 500ms, 90s, 15m, 36h, 15d")
    total = sum(float(number) * MILLISECONDS[unit] for number, unit in parts)
    if total > _LONGEST_MS:
        raise ConfigurationError(f"{text:.20} is longer than ten thousand years", "write a shorter duration")
    return round(total)


def format_duration(milliseconds: int) -> str:
    """Return the shortest exact text of a duration: `format_duration(5_400_000) == "90m"`."""
    for unit in ("d", "h", "m", "s"):
        if milliseconds % MILLISECONDS[unit] == 0:
            return f"{milliseconds // MILLISECONDS[unit]}{unit}"
    return f"{milliseconds}ms"
