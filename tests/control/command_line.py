"""Calling the command line as a user does: a process, its exit code, and what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def clean_environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without settings of ours, with a home."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOWER_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "TOWER_HOME": str(home), **(more or {})}


def tower(
    *arguments: str, home: Path, more: Mapping[str, str] | None = None, timeout_s: float = 120, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "control", *arguments],
        env=clean_environment(home, more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=cwd,
    )


def start_tower(*arguments: str, home: Path, more: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a command that runs until it is stopped."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "control", *arguments],
        env=clean_environment(home, more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
