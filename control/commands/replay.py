"""`./tower replay`: a table of past predictions as events."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from control.commands.arguments import duration, positive
from control.commands.command import Invocation
from control.console import Console
from control.kafka_access import reachable_kafka
from schemas.errors import ConfigurationError
from schemas.limits import EventLimits

NAME = "replay"
HELP = "a table of past predictions as events"
DESCRIPTION = (
    "Produces the rows of a Parquet, CSV or NDJSON file as prediction events with their own event times. Columns that are not mapped "
    "become features; a mapped label, converted or revenue_generated becomes the outcome."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a .parquet, .csv or .ndjson file")
    parser.add_argument("--model", required=True, metavar="M", help="the model's name")
    parser.add_argument("--model-version", metavar="V", help="the model's version, when no column has it")
    parser.add_argument(
        "--map", nargs="+", action="extend", default=[], metavar="FIELD=COLUMN", help="which column is which field of the contract"
    )
    parser.add_argument("--features", metavar="A,B,...", help="the columns that are features (default: all that are not mapped)")
    parser.add_argument(
        "--label-delay", type=duration, metavar="D", help="time from a prediction to its label, such as 2h, when no column has it"
    )
    parser.add_argument("--speed", type=_speed, default=None, metavar="max|N", help="max (default), or N seconds of the table per second")


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        return positive(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; or max") from error


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Replay the file."""
    config = call.config()
    mapping = _mapping(options.map)
    features = [name.strip() for name in options.features.split(",") if name.strip()] if options.features is not None else None
    from loadgen.replay import replay
    from loadgen.stopping import INTERRUPTED

    pipeline = config.pipeline
    done = replay(
        kafka=reachable_kafka(config, Console(sys.stderr), check=call.interruption.check),
        file=options.file,
        model=options.model,
        model_version=options.model_version,
        mapping=mapping,
        features=features,
        label_delay_ms=options.label_delay,
        speed=options.speed,
        out=sys.stdout,
        limits=EventLimits(
            max_future_ms=pipeline.max_future_ms,
            text_length=pipeline.limits.text_length,
            message_bytes=pipeline.limits.message_bytes,
            kept_ms=max(pipeline.retention_ms.values()),
        ),
    )
    return 0 if done else INTERRUPTED


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals or not field:
            raise ConfigurationError(f"--map {pair} is not understood", "write --map field=column, as in --map created_at=timestamp")
        mapping[field] = column
    return mapping
