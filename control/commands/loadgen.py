"""`./tower loadgen`: a load scenario, live or as history."""

from __future__ import annotations

import argparse
import math
import sys
import time

from control.commands.arguments import positive, up_to, whole
from control.commands.command import Invocation
from control.config import Config
from control.console import Console
from control.kafka_access import reachable_kafka
from schemas.errors import ConfigurationError
from schemas.limits import EARLIEST_MS

NAME = "loadgen"
HELP = "produce the events of a scenario"
DESCRIPTION = "Produces the predictions and outcomes of a scenario, by name or file, until Ctrl-C or --for."


MOST_RATE = 10_000_000
MOST_SPEED = 100_000
MOST_DAYS = 3_650
MOST_SEED = 2**63 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("scenario", metavar="SCENARIO", help="a scenario by name (demo) or the path of its file")
    parser.add_argument("--rate", type=_rate, metavar="R", help="events per second over both topics, or max (default: the scenario's own)")
    parser.add_argument(
        "--for",
        type=positive,
        metavar="S",
        dest="duration_s",
        help="stop after so many seconds (default: the scenario's own, mostly never)",
    )
    parser.add_argument("--seed", type=whole(0, MOST_SEED), default=1, metavar="N", help="seed of everything random (default 1)")
    parser.add_argument(
        "--speed", type=up_to(MOST_SPEED), metavar="X", help="simulated seconds per second (default: the scenario's own, mostly 1)"
    )
    parser.add_argument(
        "--history", type=up_to(MOST_DAYS), metavar="DAYS", help="produce so many simulated days up to now, as fast as it goes, and stop"
    )
    parser.add_argument("--until", type=int, metavar="EPOCH_MS", help="with --history: when it ends (default: now)")


def _rate(text: str) -> float:
    """Return a number above 0, or infinity for `max`."""
    return math.inf if text == "max" else up_to(MOST_RATE)(text)


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Produce until it is told to stop, or the time is over."""
    config = call.config()
    _check(options, config.pipeline.max_future_ms)
    if options.history is not None:
        return _history(options, config)
    try:
        with reachable_kafka(config, Console(sys.stderr)) as kafka:
            from loadgen.app import run_scenario

            run_scenario(
                kafka=kafka,
                scenario=options.scenario,
                rate=options.rate,
                duration_s=options.duration_s,
                seed=options.seed,
                speed=options.speed,
                cache=config.home / "loadgen",
                out=sys.stdout,
            )
    except KeyboardInterrupt:
        return 0
    return 0


def _history(options: argparse.Namespace, config: Config) -> int:
    with reachable_kafka(config, Console(sys.stderr)) as kafka:
        from loadgen.history import replay_history
        from loadgen.stopping import INTERRUPTED

        done = replay_history(
            kafka=kafka,
            scenario=options.scenario,
            days=options.history,
            now_ms=options.until if options.until is not None else _now_ms(),
            seed=options.seed,
            cache=config.home / "loadgen",
            out=sys.stdout,
        )
    return 0 if done else INTERRUPTED


def _check(options: argparse.Namespace, max_future_ms: int) -> None:
    """Raise ConfigurationError for flags that exclude each other, and for a history that the pipeline would refuse."""
    if options.history is None:
        if options.until is not None:
            raise ConfigurationError("--until says when a history ends", "give --history DAYS too, or --for SECONDS")
        return
    for flag, value in (("--rate", options.rate), ("--for", options.duration_s), ("--speed", options.speed)):
        if value is not None:
            raise ConfigurationError(f"{flag} and --history exclude each other: a history is sent as fast as it goes", "leave one out")
    until_ms = options.until if options.until is not None else _now_ms()
    if not until_ms - options.history * 86_400_000 >= EARLIEST_MS or until_ms > _now_ms() + max_future_ms:
        raise ConfigurationError("a history must lie between the year 2000 and now", "give other --history or --until")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
