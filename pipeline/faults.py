"""What a producer gets wrong in each of its events: found in one pass over a batch that has something bad in it.

To halve the batch until each bad event stands alone costs some passes where few are bad, and 0.1 ms an event where all are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipeline.decode import ReadPrediction, read_segments
from pipeline.reasons import Rejection, missing_prediction, without_offset
from schemas.events import Outcome


def prediction_faults(events: Sequence[ReadPrediction]) -> dict[int, Rejection]:
    """Return the rejections by row of events with wrong segments, no prediction or a time without offset; others may be bad, too."""
    segments: dict[bytes, Rejection | None] = {}
    found: dict[int, Rejection] = {}
    for row, event in enumerate(events):
        text = bytes(event.segments)
        if text not in segments:
            segments[text] = _segments_fault(text)
        if (fault := segments[text]) is not None:
            found[row] = fault
        elif event.prediction is None and event.status != "error":
            found[row] = missing_prediction()
        elif (fault := _time_fault(event)) is not None:
            found[row] = fault
    return found


def outcome_faults(events: Sequence[Outcome]) -> dict[int, Rejection]:
    """Return the rejections by row of events whose time is without offset; others may be bad, too."""
    return {row: fault for row, event in enumerate(events) if (fault := _time_fault(event)) is not None}


def _segments_fault(text: bytes) -> Rejection | None:
    try:
        read_segments(text)
    except Rejection as rejection:
        return rejection
    return None


def _time_fault(event: ReadPrediction | Outcome) -> Rejection | None:
    time = event.created_at
    return without_offset(time) if isinstance(time, datetime) and time.tzinfo is None else None
