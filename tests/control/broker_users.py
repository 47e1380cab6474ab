"""Other processes that use the embedded broker, so that tests can kill them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psutil

from control.broker.files import BrokerFiles, BrokerState, read_state
from control.filelock import is_locked

ROOT = Path(__file__).resolve().parents[2]
_USER = """
import sys
from pathlib import Path
from control.broker import EmbeddedBroker
with EmbeddedBroker(Path(sys.argv[1])) as kafka:
    print(kafka.bootstrap_servers, flush=True)
    sys.stdin.read()
"""


class BrokerUser:
    """A process that joins the broker of a home, and leaves it when `leave` closes its input."""

    def __init__(self, home: Path, cwd: Path | None = None, more: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", _USER, str(home)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **(more or {})},
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def address(self) -> str:
        """Wait until the broker answers this user, and return where."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> int:
        """Let it leave in peace, and return its exit code."""
        self.process.communicate(timeout=60)
        return self.process.returncode

    def kill(self) -> None:
        """Kill it with -9."""
        self.process.kill()
        self.process.communicate(timeout=60)

    def __enter__(self) -> BrokerUser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.kill()


def state_of(home: Path) -> BrokerState:
    """Return what the keeper of a home says."""
    state = read_state(BrokerFiles(home).state)
    assert state is not None
    return state


def alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def all_ended(home: Path, *states: BrokerState) -> bool:
    """Say whether no keeper holds the home, and none of the processes that were noted runs."""
    pids = [pid for state in states for pid in (state.keeper_pid, state.jvm_pid)]
    return not is_locked(BrokerFiles(home).keeper) and not any(alive(pid) for pid in pids)
