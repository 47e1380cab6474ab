"""How a class is written in a dimension, so that `class=1` is the integer and `class="1"` the string."""

from __future__ import annotations

import json
import re

_JSON_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")


def class_name(value: float | str) -> str:
    """Return the text of a class: a number as JSON writes it, a string as it is.

    A string that could be taken for another JSON value, or that starts with a quote, is written as
    a JSON string, so that no two classes share a text. Booleans are the integers 0 and 1.
    """
    if isinstance(value, str):
        ambiguous = value.startswith('"') or _JSON_SCALAR.fullmatch(value) is not None
        return json.dumps(value, ensure_ascii=False) if ambiguous else value
    return repr(float(value)) if isinstance(value, float) else str(int(value))


def pair_name(predicted: float | str, actual: float | str) -> str:
    """Return the text of a predicted and an actual class: a JSON array, so that no class can hold a separator."""
    classes = [value if isinstance(value, str | float) else int(value) for value in (predicted, actual)]
    return json.dumps(classes, ensure_ascii=False, separators=(",", ":"))


def is_binary_class(value: float | str) -> bool:
    """Return whether a class is the integer (or boolean) 0 or 1; the number 1.0 and the string `1` are not."""
    return isinstance(value, int) and value in (0, 1)
