"""The commands of `./tower`, one small file each."""

from __future__ import annotations

from control.commands import broker, dashboard, demo, doctor, loadgen, pipeline, query, replay, test, up, users
from control.commands.command import Command

COMMANDS: tuple[Command, ...] = (demo, test, up, broker, pipeline, dashboard, loadgen, replay, query, users, doctor)
"""In the order in which `./tower --help` shows them."""
