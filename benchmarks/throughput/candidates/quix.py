"""Quix Streams, in an environment of its own: `benchmarks/requirements.txt`, installed once into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.throughput.candidate import ROOT, Program, Stage, Unavailable, python_module
from control.broker.jars import user_cache
from control.filelock import wait_for_lock

LOCK_FILE = ROOT / "benchmarks" / "requirements.txt"
_INSTALL_S = 300


def quix() -> Program:
    """Return it."""

    def command(stage: Stage) -> list[str]:
        python = ensure_environment(user_cache(os.environ) / "benchmarks", LOCK_FILE, stage.say)
        folder = str(stage.folder / "quix-state")
        return python_module("quix_windows", stage.kafka.bootstrap_servers, str(stage.written.predictions), folder, python=str(python))

    return Program("quix", "Quix Streams", command)


def ensure_environment(cache: Path, lock: Path, say: Callable[[str], None]) -> Path:
    """Return the Python of the environment that `lock` describes, after making it when there is none.

    Raises Unavailable when its packages cannot be had.
    """
    name = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache / f"python-{name}"
    python = folder / "bin" / "python"
    cache.mkdir(parents=True, exist_ok=True)
    alone = wait_for_lock(cache / f"python-{name}.lock", _INSTALL_S)
    if alone is None:
        raise Unavailable(f"another process has been installing {lock.name} for {_INSTALL_S} s", "end it and run again")
    with alone:
        made = folder / ".made"  # written last: what was interrupted is made anew
        if not made.exists():
            say(f"  installing {lock.relative_to(ROOT)} (the first time only)")
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, python, lock)
            made.touch()
    return python


def _install(folder: Path, python: Path, lock: Path) -> None:
    uv = shutil.which("uv")
    if uv is not None:
        commands = [
            [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "--requirement", str(lock)],
        ]
    else:
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        commands = [[sys.executable, "-m", "venv", str(folder)], [*pip, "--require-hashes", "--requirement", str(lock)]]
    for command in commands:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"its packages could not be installed within {_INSTALL_S} s", "check the network and run again") from error
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise Unavailable(f"its packages could not be installed: {said}", "check the network and run again")
