"""python -m query.start FD: begins `query.child`, and keeps pandas out of it.

PyArrow imports pandas where it is installed, to know its values: half of the time that the process takes to start, for nothing here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class _WithoutPandas:
    """Says that pandas is not installed."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return None


if __name__ == "__main__":
    sys.meta_path.insert(0, _WithoutPandas)
    from query.child import main

    main()
