"""JSON Schema 2020-12 of what travels over Kafka, generated from the types.

`python -m schemas.json_schema` writes `schemas/*.schema.json` anew; a test keeps the files equal to the types.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from schemas.events import Outcome, Prediction
from schemas.fields import FIELDS, OF_MESSAGE
from schemas.metrics import METRICS, WINDOW_LENGTH_MS, MetricsMessage

Schema = dict[str, Any]
FOLDER = Path(__file__).resolve().parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES: dict[str, tuple[type[msgspec.Struct], str]] = {
    "prediction": (Prediction, "Prediction event, version 1"),
    "outcome": (Outcome, "Outcome event, version 1"),
    "metrics": (MetricsMessage, "Metrics message"),
}
"""For each file the type that it describes, and its title."""
_TIME: Schema = {
    "anyOf": [
        {"type": "number"},
        {
            "type": "string",
            "format": "date-time",
            "pattern": r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$",
        },
    ]
}
_OK_NEEDS_A_PREDICTION: Schema = {
    "if": {"properties": {"status": {"const": "error"}}, "required": ["status"]},
    "else": {"properties": {"prediction": {"not": {"type": "null"}}}, "required": ["prediction"]},
}


def schema_of(name: str) -> Schema:
    """Return the JSON Schema of one of `TYPES`: `prediction`, `outcome` or `metrics`."""
    kind, title = TYPES[name]
    _, found = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    meanings = FIELDS | (OF_MESSAGE if kind is MetricsMessage else {})
    components = {component: _described(schema, meanings) for component, schema in found.items()}
    whole = components.pop(kind.__name__)
    schema = {"$schema": DIALECT, "$id": f"urn:control-tower:{name}:1", **whole, "title": title}
    properties = schema["properties"]
    if kind is MetricsMessage:
        properties["status"]["enum"] = ["provisional", "final"]
        properties["window"]["enum"] = list(WINDOW_LENGTH_MS)
        components["MetricRow"]["properties"]["metric"]["examples"] = list(METRICS)
    else:
        del properties["created_at"]["anyOf"]
        properties["created_at"] |= _TIME
    if kind is Prediction:
        schema |= _OK_NEEDS_A_PREDICTION
    return schema | ({"$defs": components} if components else {})


def text_of(name: str) -> bytes:
    """Return the content of a schema's file."""
    return msgspec.json.format(msgspec.json.encode(schema_of(name)), indent=2) + b"\n"


def file_of(name: str) -> Path:
    """Return where a schema's file lies."""
    return FOLDER / f"{name}.schema.json"


def _described(schema: Schema, meanings: dict[str, str]) -> Schema:
    properties = {
        field: {"title": field.replace("_", " ").capitalize(), "description": meanings[field], **rules}
        for field, rules in schema["properties"].items()
    }
    return schema | {"properties": properties}


def main() -> None:
    """Write all files."""
    for name in TYPES:
        file_of(name).write_bytes(text_of(name))


if __name__ == "__main__":
    main()
