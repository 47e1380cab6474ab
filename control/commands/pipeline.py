"""`./tower pipeline`: the dataflow."""

from __future__ import annotations

import argparse
import sys

from control.commands.arguments import whole
from control.commands.command import Invocation
from control.console import Console
from control.kafka_access import reachable_kafka
from pipeline.memory import share_one_heap

NAME = "pipeline"
HELP = "the dataflow from events to metrics"
DESCRIPTION = "Reads predictions and outcomes from Kafka and keeps the metrics up to date, until Ctrl-C."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--until-caught-up",
        action="store_true",
        help="stop, exit 0, once everything up to the end offsets seen at start is committed, published and visible to `tower query`",
    )
    parser.add_argument("--processes", type=whole(1, 64), metavar="N", help="processes of the dataflow (default: pipeline.processes, 1)")


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Run the pipeline until it is told to stop."""
    share_one_heap()
    config = call.config(pipeline__processes=options.processes)
    console = Console(sys.stderr)
    try:
        with reachable_kafka(config, console, patience_s=None, check=call.interruption.check) as kafka:
            # Imported when it is needed: the other commands do not wait for Bytewax.
            from pipeline.app import run_pipeline

            done = run_pipeline(home=config.home, kafka=kafka, settings=config.pipeline, until_caught_up=options.until_caught_up)
    except KeyboardInterrupt:
        # Before the pipeline had its own handlers there was nothing to commit.
        done = not options.until_caught_up
    return 0 if done else 130
