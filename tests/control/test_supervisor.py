"""The running tower: parts come back when they are killed, and nothing stays when it is stopped or killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from control.cli import ROOT
from control.console import Console
from control.supervisor.part import PartSpec
from control.supervisor.supervisor import Supervisor
from tests.control.command_line import start_tower, tower
from tests.waiting import wait_until


def processes_of(home: Path) -> dict[int, str]:
    """Return pid -> command line of all processes that have this home in their environment."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.environ().get("TOWER_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = " ".join(process.cmdline())
        except psutil.Error:
            continue
    return found


def part(home: Path, name: str) -> int:
    """Return the pid of a part, 0 when there is none."""
    return next((pid for pid, line in processes_of(home).items() if f"-m control {name}" in line), 0)


def supervisor(home: Path) -> Supervisor:
    environment = {**os.environ, "TOWER_HOME": str(home)}
    return Supervisor(home=home, root=ROOT, flags=[], environment=environment, console=Console(sys.stdout))


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Running:
    """A tower in its own process, whose lines are read as they come."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.process: subprocess.Popen[str] = start_tower(*arguments, home=home)
        self.lines: list[str] = []

    def read_until(self, text: str) -> str:
        """Read lines until one contains the text; the test's own time limit ends a wait in vain."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return line
        pytest.fail(f"it ended without saying {text!r}: {''.join(self.lines)}")

    def stop(self, number: int) -> int:
        """Send a signal, read the rest, and return the exit code."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=60)
        self.lines += rest.splitlines(keepends=True)
        return self.process.returncode


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Return a function that starts a command on the home of this test; at the end none of its processes may be left."""
    started: list[Running] = []

    def begin(*arguments: str) -> Running:
        started.append(Running(tmp_path, *arguments))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait()
        if running.process.stdout is not None:
            running.process.stdout.close()
    wait_until(lambda: not processes_of(tmp_path), "no process is left")


@pytest.fixture
def up(start: Callable[..., Running]) -> Running:
    return start("up", "--port", free_port())


def test_a_killed_part_starts_again_and_a_stop_leaves_nothing(up: Running) -> None:
    up.read_until("dashboard at http://127.0.0.1:")
    wait_until(lambda: part(up.home, "pipeline") > 0, "the pipeline runs")
    before = part(up.home, "pipeline")
    os.kill(before, signal.SIGKILL)
    assert "pipeline was killed by signal 9; starting it again in 1 s" in up.read_until("pipeline was killed")
    wait_until(lambda: part(up.home, "pipeline") not in (0, before), "the pipeline runs again")

    second = tower("up", "--port", free_port(), home=up.home)
    assert (second.returncode, second.stderr.count("\n")) == (1, 1)
    assert "another ./tower demo or up runs in" in second.stderr

    # Whoever presses Ctrl-C again and again gets the same clean stop.
    while up.process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            up.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            up.process.wait(0.1)
    assert up.process.returncode == 0
    assert processes_of(up.home) == {}


def test_a_killed_supervisor_takes_all_with_it(up: Running) -> None:
    up.read_until("dashboard at http://127.0.0.1:")
    assert len(processes_of(up.home)) >= 5
    up.process.kill()
    wait_until(lambda: not processes_of(up.home), "the parts, the keeper and Kafka have ended")


def test_a_part_that_cannot_run_ends_the_tower_with_its_reason(tmp_path: Path) -> None:
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", 0))
        taker.listen()
        done = tower("up", "--port", str(taker.getsockname()[1]), home=tmp_path)
    assert done.returncode == 2
    assert "is in use" in done.stderr
    assert processes_of(tmp_path) == {}


@pytest.mark.parametrize("how", ["Ctrl-C", "the reader leaves"])
def test_a_stop_during_the_start_is_clean_too(tmp_path: Path, start: Callable[..., Running], how: str) -> None:
    running = start("demo", "--no-browser", "--port", free_port())
    running.read_until("Kafka ready")
    if how == "Ctrl-C":
        assert running.stop(signal.SIGINT) == 0
    else:
        assert running.process.stdout is not None
        running.process.stdout.close()
        assert running.process.wait(90) == 0
    assert processes_of(tmp_path) == {}
    assert (
        json.loads((tmp_path / "run" / "history.json").read_bytes())["done"] is False
        if (tmp_path / "run" / "history.json").exists()
        else True
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_moment_of_a_start_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The interrupt comes when the process runs already and `Popen` has not yet returned."""
    begun: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            begun.append(self)
            signal.raise_signal(number)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), supervisor(tmp_path) as parts:
            parts.start(PartSpec("pipeline", ("pipeline",)))
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert [one.returncode is not None for one in begun] == [True]


@pytest.mark.slow
def test_demo_shows_eight_days_and_the_present_and_ends_by_itself(tmp_path: Path, start: Callable[..., Running]) -> None:
    port = free_port()
    running = start("demo", "--for", "25", "--no-browser", "--port", port, "--rate", "100")
    running.read_until("everything runs")
    said = "".join(running.lines)
    for step in ("Kafka ready on 127.0.0.1:", "history replayed: 8 days", "pipeline caught up", f"dashboard at http://127.0.0.1:{port}"):
        assert step in said
    running.read_until("BEGIN")
    rest, _ = running.process.communicate(timeout=120)
    assert running.process.returncode == 0
    assert rest.rstrip().endswith("stopped")
    assert processes_of(tmp_path) == {}
    sql = """
        SELECT model, count(DISTINCT window_start) FILTER (WHERE metric = 'prediction_volume' AND "window" = '1d') AS days,
               max(value) FILTER (WHERE metric = 'prediction_volume' AND "window" = '7d') AS week,
               max(window_end) FILTER (WHERE "window" = '10s') > now() - INTERVAL 2 MINUTES AS live
        FROM metrics WHERE model_version = '*' AND segment = '*' AND dimension = '' GROUP BY model"""
    done = tower("query", sql, "--format", "json", home=tmp_path)
    models = json.loads(done.stdout)
    assert len(models) == 3
    for model in models:
        assert model["days"] in (8, 9, 10)
        assert model["week"] > 1000
        assert model["live"] is True
