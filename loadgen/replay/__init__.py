"""A table of past predictions as events: `./tower replay`."""

from __future__ import annotations

from loadgen.replay.run import replay

__all__ = ["replay"]
