"""What numbers and names in a scenario may be; msgspec checks them as it reads, and names the field."""

from __future__ import annotations

from typing import Annotated

import msgspec

from schemas.events import NAME_LENGTH

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH)]
"""A name that becomes part of events."""
