"""`./tower demo`: the main job, all of it."""

from __future__ import annotations

import argparse
import sys
import time

from control.commands.arguments import positive, whole
from control.commands.command import Invocation
from control.config import Config
from control.console import Console
from control.demo.start import Demo, DemoOptions
from control.kafka_access import reachable_kafka
from control.ports import choose_port
from dashboard.access.safety import require_safe

NAME = "demo"
HELP = "everything at once: Kafka, pipeline, dashboard, and a load with incidents"
DESCRIPTION = (
    "Starts the embedded Kafka, the pipeline, the dashboard and a load scenario whose incidents announce themselves, and prints the "
    "dashboard's address. Ctrl-C stops everything. The first start of a home replays eight simulated days."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--for", type=positive, metavar="SECONDS", dest="duration_s", help="stop so long after everything runs (default: never)"
    )
    parser.add_argument("--rate", type=positive, metavar="EVENTS_PER_S", help="predictions per second (default: the scenario's own)")
    parser.add_argument("--port", type=whole(1, 65_535), metavar="P", help="the dashboard's port (default: dashboard.port, or a free one)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the dashboard in a browser")


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Run the demo until Ctrl-C, SIGTERM or the end of `--for`."""
    config: Config = call.config(dashboard__port=options.port)
    require_safe(config.dashboard, config.access)
    console = Console(sys.stdout)
    port = choose_port(config.dashboard.host, config.dashboard.port, may_move=options.port is None)
    config = call.config(dashboard__port=port)
    wanted = DemoOptions(options.rate, options.duration_s, not options.no_browser)
    try:
        with call.supervisor(config.home, console) as supervisor:
            try:
                with reachable_kafka(config, console, check=call.interruption.check) as kafka:
                    console.line(f"Kafka ready on {kafka.bootstrap_servers}")
                    try:
                        Demo(config, kafka, supervisor, console, wanted, lambda: time.time_ns() // 1_000_000, call.interruption.check).run()
                    finally:
                        console.line("stopping")
                        supervisor.stop()
            finally:
                console.line("stopped")
    except KeyboardInterrupt:
        return 0
    return 0
