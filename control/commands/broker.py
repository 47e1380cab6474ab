"""`./tower broker`: the embedded Kafka alone, in the foreground."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from control.commands.command import Invocation
from control.console import Console
from control.kafka_access import reachable_kafka

NAME = "broker"
HELP = "the embedded Kafka alone, in the foreground"
DESCRIPTION = (
    "Starts the embedded Kafka of the home, or joins it when it runs, prints its bootstrap address, and keeps it until Ctrl-C. "
    "It stays while other commands use it."
)

_TICK_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Hold the broker until Ctrl-C or SIGTERM."""
    config = call.config()
    # What is configured elsewhere is not ours to run: this command is always the embedded one.
    config = replace(config, kafka=config.kafka.embedded())
    console = Console(sys.stderr)
    try:
        with reachable_kafka(config, console, check=call.interruption.check) as kafka:
            print(kafka.bootstrap_servers, flush=True)
            console.line(f"Kafka is ready on {kafka.bootstrap_servers}; Ctrl-C ends it")
            while True:
                call.interruption.check()
                time.sleep(_TICK_S)
    except KeyboardInterrupt:
        return 0
