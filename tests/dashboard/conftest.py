"""How much Hypothesis looks at in these tests."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("dashboard", max_examples=60, deadline=None)  # no deadline: the machine may be busy
settings.load_profile("dashboard")
