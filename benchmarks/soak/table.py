"""The table of a run, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.soak.growth import Trend, trend
from benchmarks.soak.quantities import QUANTITIES
from benchmarks.soak.sampler import Sample

_HEAD = "| | first half | second half | growth | largest | |\n|---|---:|---:|---:|---:|---|"


def trends(samples: Sequence[Sample], warm_up_s: float) -> dict[str, Trend]:
    """Return the trend of each quantity. Raises ValueError when there are too few samples."""
    at_s = [sample.at_s for sample in samples]
    return {key: trend(one, at_s, [sample.values[key] for sample in samples], warm_up_s) for key, one in QUANTITIES.items()}


def table(found: Mapping[str, Trend]) -> str:
    """Return the table as Markdown."""
    rows = []
    for key, one in found.items():
        quantity = QUANTITIES[key]
        verdict = "not judged" if quantity.slack is None else "GROWS" if one.grows else "flat"
        values = " | ".join([quantity.shown(one.first), quantity.shown(one.second), f"{one.growth:+.1%}", quantity.shown(one.largest)])
        rows.append(f"| {quantity.name} | {values} | {verdict} |")
    return "\n".join([_HEAD, *rows])


def write_json(path: Path, found: Mapping[str, Trend], samples: Sequence[Sample], environment: Mapping[str, object]) -> None:
    """Write the trends and all samples, in bytes and seconds."""
    content = {
        **environment,
        "quantities": {
            key: {"first": one.first, "second": one.second, "growth": one.growth, "largest": one.largest, "grows": one.grows}
            for key, one in found.items()
        },
        "samples": [{"at_s": round(sample.at_s, 1), "event_time": sample.event_time, **sample.values} for sample in samples],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
