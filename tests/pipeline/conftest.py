"""How much Hypothesis looks at in these tests: enough to find what is wrong, in the time that a developer waits."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("pipeline", max_examples=60, deadline=None)  # no deadline: the machine may be busy
settings.load_profile("pipeline")
