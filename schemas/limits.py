"""What the pipeline accepts of an event beyond its types. Whoever writes events can know beforehand what would become a dead letter."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.metrics import DEFAULT_RETENTION_MS

EARLIEST_MS = 946_684_800_000
"""The year 2000. Earlier times are seconds that were sent as milliseconds, or clocks that were never set."""
EXACT_BELOW = 2**53
"""Whole numbers that are classes are smaller than this: 2**53 itself is what float64 makes of 2**53 + 1, too."""
MAX_FUTURE_MS = 300_000
"""How far ahead of the clock an event may be, unless configured otherwise."""
TEXT_LENGTH = 256
"""The most characters of a class, of a feature's name, and of a segment's name or value, unless configured otherwise."""
MESSAGE_BYTES = 1_000_000
"""The largest event, unless configured otherwise."""


@dataclass(frozen=True, slots=True)
class EventLimits:
    """The limits as they are configured. Events that are `kept_ms` older than the newest one are too old for any window."""

    max_future_ms: int = MAX_FUTURE_MS
    text_length: int = TEXT_LENGTH
    message_bytes: int = MESSAGE_BYTES
    kept_ms: int = max(DEFAULT_RETENTION_MS.values())
