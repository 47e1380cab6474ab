"""`./tower dashboard`: the dashboard alone."""

from __future__ import annotations

import argparse
import sys

from control.broker import EmbeddedBroker
from control.commands.arguments import whole
from control.commands.command import Invocation
from control.console import Console
from control.kafka_access import admin_client
from dashboard.access.safety import require_safe
from schemas.kafka import KafkaSettings

NAME = "dashboard"
HELP = "the dashboard alone"
DESCRIPTION = "Serves the dashboard until Ctrl-C. It shows what the pipeline publishes, and says so when Kafka is away."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--port", type=whole(1, 65_535), metavar="P", help="port to listen on (default: dashboard.port, 5006)")


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Serve until it is told to stop; a configured Kafka need not be up, the page shows that it is away."""
    config = call.config(dashboard__port=options.port)
    require_safe(config.dashboard, config.access)
    console = Console(sys.stderr)
    try:
        from dashboard.app import serve

        def serve_from(kafka: KafkaSettings) -> None:
            serve(home=config.home, kafka=kafka, settings=config.dashboard, access=config.access, retention_ms=config.pipeline.retention_ms)

        if config.kafka.bootstrap_servers:
            admin_client(config.kafka)  # its options are checked before a page is served
            serve_from(config.kafka)
            return 0
        with EmbeddedBroker(config.home, config.broker, report=console.line, progress=console.progress) as embedded:
            serve_from(config.kafka.embedded(embedded.bootstrap_servers))
    except KeyboardInterrupt:
        return 0
    return 0
