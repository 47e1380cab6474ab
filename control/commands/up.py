"""`./tower up`: the parts without a load, against the configured Kafka."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from control.commands.arguments import whole
from control.commands.command import Invocation
from control.console import Console
from control.demo.start import TICK_S
from control.kafka_access import reachable_kafka
from control.ports import choose_port, local_address
from control.supervisor.part import PartSpec
from control.supervisor.readiness import answers
from control.supervisor.supervisor import Supervisor
from dashboard.access.safety import require_safe

NAME = "up"
HELP = "the pipeline and the dashboard, against the Kafka of the configuration"
DESCRIPTION = "Starts the parts and keeps them running until Ctrl-C; with no Kafka configured, the embedded one."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--port", type=whole(1, 65_535), metavar="P", help="the dashboard's port (default: dashboard.port, 5006)")


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Run the parts until Ctrl-C or SIGTERM."""
    config = call.config(dashboard__port=options.port)
    require_safe(config.dashboard, config.access)
    console = Console(sys.stdout)
    port = choose_port(config.dashboard.host, config.dashboard.port, may_move=False)
    try:
        with call.supervisor(config.home, console) as parts:
            try:
                with reachable_kafka(config, console, patience_s=None, check=call.interruption.check) as kafka:
                    console.line(f"Kafka ready on {kafka.bootstrap_servers}")
                    try:
                        _run_parts(parts, config.dashboard.host, port, console, call.interruption.check)
                    finally:
                        console.line("stopping")
                        parts.stop()
            finally:
                console.line("stopped")
    except KeyboardInterrupt:
        return 0


def _run_parts(parts: Supervisor, host: str, port: int, console: Console, check: Callable[[], None]) -> NoReturn:
    """Run until `check` raises KeyboardInterrupt, or nobody reads any more what is said."""
    address = local_address(host, port)
    parts.start(PartSpec("dashboard", ("dashboard", f"--port={port}")))
    parts.start(PartSpec("pipeline", ("pipeline",)))
    announced = False
    while not console.reader_left:
        check()
        parts.tend()
        if not announced and answers(f"{address}/health"):
            announced = True
            console.line(f"dashboard at {address}; Ctrl-C stops everything")
        time.sleep(TICK_S)
    raise KeyboardInterrupt
