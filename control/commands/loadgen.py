"""`./tower loadgen`: a load scenario, live or as history."""

from __future__ import annotations

import argparse
import math
import sys
import time

from control.commands.command import Invocation
from control.console import Console
from control.kafka_access import reachable_kafka

NAME = "loadgen"
HELP = "produce the events of a scenario"
DESCRIPTION = "Produces the predictions and outcomes of a scenario, by name or file, until Ctrl-C or --for."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("scenario", metavar="SCENARIO", help="a scenario by name (demo) or the path of its file")
    parser.add_argument("--rate", type=_rate, metavar="R", help="events per second over both topics, or max (default: the scenario's own)")
    parser.add_argument("--for", type=positive, metavar="S", dest="duration_s", help="stop after so many seconds (default: never)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of everything random (default 1)")
    parser.add_argument("--speed", type=positive, default=1.0, metavar="X", help="simulated seconds per second (default 1)")
    parser.add_argument(
        "--history", type=positive, metavar="DAYS", help="produce so many simulated days up to now, as fast as it goes, and stop"
    )
    parser.add_argument("--until", type=int, metavar="EPOCH_MS", help="with --history: when it ends (default: now)")


def positive(text: str) -> float:
    """Return a number above 0; argparse shows the message."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def _rate(text: str) -> float:
    """Return a number above 0, or infinity for `max`."""
    return math.inf if text == "max" else positive(text)


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Produce until it is told to stop, or the time is over."""
    config = call.config()
    console = Console(sys.stderr)
    cache = config.home / "loadgen"
    try:
        with reachable_kafka(config, console) as kafka:
            if options.history is not None:
                from loadgen.history import replay_history

                now_ms = options.until if options.until is not None else time.time_ns() // 1_000_000
                replay_history(
                    kafka=kafka,
                    scenario=options.scenario,
                    days=options.history,
                    now_ms=now_ms,
                    seed=options.seed,
                    cache=cache,
                    out=sys.stdout,
                )
            else:
                from loadgen.app import run_scenario

                run_scenario(
                    kafka=kafka,
                    scenario=options.scenario,
                    rate=options.rate,
                    duration_s=options.duration_s,
                    seed=options.seed,
                    speed=options.speed,
                    cache=cache,
                    out=sys.stdout,
                )
    except KeyboardInterrupt:
        return 0
    return 0
