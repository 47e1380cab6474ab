"""Finding a Chromium for the browser tests, and installing one where that can be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from schemas.errors import TowerError

_SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_APT = (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])


def find_chromium() -> Path | None:
    """Return Playwright's own Chromium when it is installed, else the system's, else None."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    if own.is_file():
        return own
    found = next((path for name in _SYSTEM_NAMES if (path := shutil.which(name))), None)
    return Path(found) if found else None


def ensure_chromium() -> Path:
    """Return a Chromium, after installing one when there is none: from Debian's packages as root, else Playwright's own.

    Raises TowerError with the exact command when neither can be done.
    """
    if (found := find_chromium()) is not None:
        return found
    by_apt = shutil.which("apt-get") is not None
    if by_apt and os.geteuid() == 0:
        print("installing Chromium for the browser tests", file=sys.stderr, flush=True)
        commands = list(_APT)
        mend = " && ".join(" ".join(command) for command in _APT)
    else:
        commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
        mend = "sudo apt-get update && sudo apt-get install chromium" if by_apt else "python -m playwright install chromium"
    for command in commands:
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            words = done.stdout.strip().splitlines() or ["no output"]
            raise TowerError(f"Chromium for the browser tests could not be installed: {words[-1]}", f"run: {mend}")
    if (found := find_chromium()) is None:
        raise TowerError("Chromium for the browser tests is still missing after its installation", f"run: {mend}")
    return found
