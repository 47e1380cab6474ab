"""What a series is about: a model, one of its versions or all, one of its segments or all."""

from __future__ import annotations

from typing import NamedTuple

from schemas.metrics import ALL


class Scope(NamedTuple):
    """(model, version, segment); `*` is all of them together."""

    model: str
    version: str = ALL
    segment: str = ALL

    @property
    def whole_model(self) -> bool:
        """Whether all versions and segments are meant."""
        return self.version == ALL and self.segment == ALL
