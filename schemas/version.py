"""The version of Control Tower, as in pyproject.toml (a test compares the two), and those of the libraries that do the work."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata

VERSION = "0.1.0"


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Return the versions of Control Tower, of Python and of libraries, by name."""
    found = {library: metadata.version(library) for library in libraries}
    return {"Control Tower": VERSION, "Python": platform.python_version(), **found}
