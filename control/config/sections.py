"""Which sections and keys there are: read off the parts' dataclasses, so that no list of names can grow old."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, get_type_hints

from control.broker.settings import BrokerSettings
from dashboard.access.settings import AccessSettings
from dashboard.settings import DashboardSettings
from pipeline.settings import Limits, ModelSettings, PipelineSettings
from schemas.kafka import KafkaSettings
from schemas.metrics import WINDOW_LENGTH_MS

_DURATION_SUFFIX = "_ms"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section: the name in the file, the dataclass field behind it, and its type.

    A field named `..._ms` is a key without the suffix, and its value is a duration such as `90s`. No message tells a secret's value.
    """

    name: str
    field: str
    kind: Any
    is_duration: bool
    is_secret: bool = False


def _keys(settings: type, leave_out: tuple[str, ...] = ()) -> dict[str, Key]:
    kinds = get_type_hints(settings)
    keys = {}
    for field in dataclasses.fields(settings):
        if field.name not in leave_out:
            is_duration = field.name.endswith(_DURATION_SUFFIX)
            name = field.name.removesuffix(_DURATION_SUFFIX) if is_duration else field.name
            keys[name] = Key(name, field.name, kinds[field.name], is_duration, bool(field.metadata.get("secret")))
    return keys


SECTIONS: dict[str, dict[str, Key]] = {
    "kafka": _keys(KafkaSettings),
    "broker": _keys(BrokerSettings),
    "pipeline": _keys(PipelineSettings, ("retention_ms", "limits", "models")),
    "retention": {window: Key(window, window, int, True) for window in WINDOW_LENGTH_MS},
    "limits": _keys(Limits),
    "dashboard": _keys(DashboardSettings),
    "access": _keys(AccessSettings),
}
"""Section -> key -> what it is. `[models.NAME]` is apart: its names are the user's."""
MODELS = "models"
MODEL_KEYS: dict[str, Key] = _keys(ModelSettings)
OPTIONS = "options"
"""The key of `[kafka]` whose names are librdkafka's."""


def all_names() -> list[str]:
    """Return every `section.key`, for the message about an unknown one."""
    names = [f"{section}.{key}" for section, keys in SECTIONS.items() for key in keys]
    return names + [f"{MODELS}.NAME.{key}" for key in MODEL_KEYS]
