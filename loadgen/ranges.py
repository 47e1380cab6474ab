"""What numbers and names in a scenario may be; msgspec checks them as it reads, and names the field."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schemas.events import NAME_LENGTH

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Factor = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
"""What is multiplied by it stays a number of a size that can be sent."""
Spread = Annotated[float, msgspec.Meta(ge=0, le=5)]
"""The sigma of a log-normal distribution; at 5 it reaches over ten powers of ten."""
Shift = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH)]
"""A name that becomes part of events."""
