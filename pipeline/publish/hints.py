"""What is configured about models, in the publisher's ids: task, positive class, classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import orjson

from pipeline.cells import Ints
from pipeline.publish.names import PublishedNames
from pipeline.settings import ModelSettings

_TASKS = {"": 0, "binary": 1, "multiclass": 2, "regression": 3}
NONE = -1


@dataclass(frozen=True, slots=True)
class Hint:
    """Of one model: the task's number as in `PaneBatch`, the positive class and the position in `Hints.class_sets`, or -1."""

    task: int = 0
    positive_class: int = NONE
    class_set: int = NONE


class Hints:
    """Finds what is configured for the model of a scope. The configured classes get their ids here, before any pane is looked at."""

    def __init__(self, models: Mapping[str, ModelSettings], names: PublishedNames) -> None:
        self._names = names
        self.class_sets: list[Ints] = []
        self._models = {model: self._hint(settings) for model, settings in models.items()}

    def of(self, scope: int) -> Hint:
        """Return the hint for the model of a scope."""
        return self._models.get(self._names.scope(scope)[0], Hint()) if self._models else Hint()

    def _hint(self, settings: ModelSettings) -> Hint:
        classes = [self._names.classes.id_of(class_text(text)) for text in settings.classes]
        positive = classes[-1] if settings.task == "binary" and classes else NONE
        if settings.positive_class:
            positive = self._names.classes.id_of(class_text(settings.positive_class))
        if classes:
            self.class_sets.append(np.array(sorted(classes), dtype=np.int64))
        return Hint(_TASKS[settings.task], positive, len(self.class_sets) - 1 if classes else NONE)


def class_text(configured: str) -> str:
    """Return a configured class as the JSON text by which classes are known: `1` and `true` are the integer, `yes` a text."""
    try:
        value = orjson.loads(configured)
    except orjson.JSONDecodeError:
        value = configured
    if isinstance(value, bool):
        value = int(value)
    return orjson.dumps(value if isinstance(value, (int, float, str)) else configured).decode()
