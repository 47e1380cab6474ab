"""Starting and stopping the dashboard of `tests.dashboard.server`, and asking it how it is."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from schemas.kafka import KafkaSettings
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


class Health(msgspec.Struct, frozen=True):
    """What `/health` says."""

    status: str
    offset_lag: int
    data_age_ms: int | None
    history_loaded: bool
    viewers: int
    models: int
    open_scopes: int
    tail_bytes: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """A dashboard that can be stopped and started again on the same port; `folder` holds its home and its log."""

    kafka: KafkaSettings
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    access: dict[str, object] = field(default_factory=dict)
    """Settings of `[access]`."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def hold(self) -> Path:
        """While this file exists, history does not come."""
        return self.folder / "hold"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def page(self, **query: str) -> str:
        """Return the address of a page, as of a model."""
        return self.url + ("?" + urlencode(query) if query else "")

    def start(self, *, wait_live: bool = True) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        arguments = [
            str(self.home),
            self.kafka.bootstrap_servers,
            str(self.port),
            str(self.folder / "probe"),
            str(self.hold),
            json.dumps(self.access),
        ]
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "tests.dashboard.server", *arguments]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        wait_until(self.answers, "the dashboard answers")
        if wait_live:
            wait_until(lambda: self.health().status == "live" and self.health().history_loaded, "the dashboard has its data")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            urllib.request.urlopen(self.url + "health", timeout=10).close()
        except urllib.error.URLError:
            return False
        return True

    def stop(self) -> None:
        """Ask it to leave, and see that it does so cleanly."""
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(20) == 0, (self.folder / "log").read_text()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def health(self) -> Health:
        with urllib.request.urlopen(self.url + "health", timeout=10) as answer:
            return msgspec.json.decode(answer.read(), type=Health)

    def slow_callbacks(self) -> list[tuple[float, float]]:
        """Return (wall, processor) milliseconds of the loop's slow callbacks so far."""
        lines = (self.folder / "probe").read_text().splitlines()
        return [(float(wall), float(cpu)) for wall, cpu in (line.split() for line in lines)]
