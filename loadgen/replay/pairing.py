"""Whether predictions and labels can be compared: classes compare by their JSON type, and decimals are no classes."""

from __future__ import annotations

from loadgen.replay.table import DECIMAL, FLAG, NOTHING, TEXT, WHOLE, Kinds


def pairing_notes(prediction: Kinds, label: Kinds) -> list[str]:
    """Return what a reader should know of the kinds of the two columns; nothing when they are alike."""
    kinds = {*prediction, *label} - {NOTHING}
    notes = []
    if DECIMAL in kinds and WHOLE in kinds:
        notes.append("one of prediction and label has decimals, so they count as numeric targets (mae, rmse), not as classes")
    if (TEXT in kinds and kinds & {WHOLE, DECIMAL, FLAG}) or {FLAG, DECIMAL} <= kinds:
        notes.append(f"prediction and label are {', '.join(sorted(kinds))}: values of different kinds never count as equal")
    return notes
