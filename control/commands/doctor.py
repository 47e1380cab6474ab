"""`./tower doctor`: what is wrong, and the mend."""

from __future__ import annotations

import argparse
import time

from control.commands.command import Invocation

NAME = "doctor"
HELP = "check versions, broker, topics, disk, clock and configuration"
DESCRIPTION = "Checks what Control Tower needs, and says what is wrong and the mend. Exit code 1 if anything is."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(options: argparse.Namespace, call: Invocation) -> int:
    """Print every finding as it is made."""
    from control.doctor.checks import findings

    wrong = 0
    for finding in findings(root=call.root, environment=call.environment, load=call.config, now_ms=time.time_ns() // 1_000_000):
        call.interruption.check()
        print(finding, flush=True)
        wrong += not finding.right
    print("all is well" if not wrong else f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong")
    return 1 if wrong else 0
