"""Who starts the keeper, who waits for it, and when Kafka counts as listening: without a Kafka."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest

from control.broker import BrokerSettings, EmbeddedBroker, embedded, java
from control.broker.files import BrokerFiles, BrokerState, read_state, write_state
from control.broker.keeper import Keeper
from control.broker.settings import Ports
from control.filelock import FileLock, try_lock
from schemas.errors import BrokerUnavailable, TowerError
from tests.waiting import wait_until


def ended_child(code: int) -> int:
    """Return the pid of a child that has ended and was not yet waited for."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", f"raise SystemExit({code})"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


class Broker(EmbeddedBroker):
    """A share in a broker whose keepers are only played: each one is a child that ends at once, with the code that comes next."""

    def __init__(self, home: Path, *codes: int, other: BrokerState | None = None) -> None:
        self.said: list[str] = []
        super().__init__(home, BrokerSettings(start_timeout_ms=2000), report=self.said.append)
        self.files = BrokerFiles(home)
        self.codes = list(codes)
        self.other = other
        self.held: FileLock | None = None

    def _spawn_keeper(self) -> int:
        if self.other is not None:
            self.held = try_lock(self.files.keeper)
            write_state(self.files.state, self.other)
        pid = ended_child(self.codes.pop(0))
        self._keepers.append(pid)
        return pid


@pytest.fixture(autouse=True)
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "ensure_jars", lambda *arguments: [])


OTHER = BrokerState("listening", os.getpid(), 12_345, 12_346)


def test_a_keeper_that_gives_way_to_another_one_is_no_failure(tmp_path: Path) -> None:
    broker = Broker(tmp_path, 0, other=OTHER)
    assert broker._ensure_keeper() == OTHER.port


def test_when_neither_is_left_the_next_one_is_started_and_a_failure_is_told(tmp_path: Path) -> None:
    broker = Broker(tmp_path, 0, 1)
    with pytest.raises(BrokerUnavailable, match="the keeper of the embedded Kafka ended"):
        broker._ensure_keeper()
    assert broker.codes == []


def test_the_end_of_an_earlier_keeper_is_not_taken_for_that_of_the_new_one(tmp_path: Path) -> None:
    broker = Broker(tmp_path, 0, other=OTHER)
    broker._keepers.append(ended_child(1))
    assert broker._ensure_keeper() == OTHER.port


def test_a_system_that_collects_children_by_itself_is_no_failure(tmp_path: Path) -> None:
    broker = Broker(tmp_path, 0, other=OTHER)
    pid = ended_child(0)
    os.waitpid(pid, 0)
    broker._keepers.append(pid)
    assert broker._ensure_keeper() == OTHER.port


def test_the_watch_goes_on_after_an_error_and_says_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_WATCH_S", 0.01)
    tries: list[int] = []

    class Full(Broker):
        def _start_and_wait(self) -> int:
            tries.append(1)
            if len(tries) < 5:
                raise OSError(28, "No space left on device", "broker.json")
            if len(tries) < 8:
                raise BrokerUnavailable("Kafka does not come up")
            self.held = try_lock(self.files.keeper)
            return 1

    broker = Full(tmp_path)
    watch = threading.Thread(target=broker._watch)
    watch.start()
    wait_until(lambda: broker.held is not None, "the watch has gone on until it succeeded")
    broker._leaving.set()
    watch.join()
    assert [said.partition(":")[0] for said in broker.said] == [
        "the embedded Kafka's keeper was killed; starting it again",
        "the embedded Kafka's keeper cannot be started",
        "Kafka does not come up",
    ]


def test_the_watch_is_silent_while_another_command_starts_the_keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_WATCH_S", 0.01)
    asked: list[Path] = []
    monkeypatch.setattr(embedded, "try_lock", lambda path, **options: asked.append(path))
    broker = Broker(tmp_path)
    watch = threading.Thread(target=broker._watch)
    watch.start()
    wait_until(lambda: len(asked) >= 3, "it has looked three times")
    broker._leaving.set()
    watch.join()
    assert broker.said == []


def test_a_state_that_cannot_be_written_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "broker.json").mkdir()
    with pytest.raises(OSError, match=r"broker\.json"):
        write_state(tmp_path / "broker.json", OTHER)
    assert [path.name for path in tmp_path.iterdir()] == ["broker.json"]


def test_only_the_process_itself_counts_as_listening() -> None:
    with socket.socket() as server, subprocess.Popen(["sleep", "30"]) as other:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert not java.listens(os.getpid(), port)
        server.listen()
        assert java.listens(os.getpid(), port)
        assert not java.listens(other.pid, port)
        other.kill()


def test_a_stranger_on_the_port_is_not_our_kafka_and_does_not_pin_it(tmp_path: Path) -> None:
    used: list[Ports] = []
    strangers: list[socket.socket] = []

    class Taken(java.KafkaJava):
        def format_data(self) -> None:
            """There is none."""

        def start(self, ports: Ports) -> subprocess.Popen[bytes]:
            stranger = socket.socket()
            stranger.bind(("127.0.0.1", ports.clients))
            stranger.listen()
            strangers.append(stranger)
            used.append(ports)
            return subprocess.Popen(["sleep", "0.3"])

    files = BrokerFiles(tmp_path)
    user = try_lock(files.users, shared=True)
    assert user is not None
    try:
        with user, pytest.raises(TowerError, match="Kafka did not start"):
            Keeper(Taken(files, BrokerSettings(), []), Random(1), lambda: False).run()
    finally:
        for stranger in strangers:
            stranger.close()
    state = read_state(files.state)
    assert state is not None
    assert state.status == "starting"
    assert len({ports.clients for ports in used}) == 3


def test_of_what_java_says_the_cause_is_told_not_a_line_of_the_stack(tmp_path: Path) -> None:
    trace = """[2026-01-01 00:00:00,000] ERROR Exiting Kafka due to fatal exception (kafka.Kafka$)
org.apache.kafka.common.KafkaException: Socket server failed to bind
\tat kafka.network.Acceptor.openServerSocket(SocketServer.scala:1)
Caused by: java.net.BindException: Address already in use
\tat java.base/sun.nio.ch.Net.bind0(Native Method)
\t... 13 more
"""
    assert java.telling_line(trace) == "Caused by: java.net.BindException: Address already in use"
    assert java.telling_line("Exception in thread main java.nio.InvalidPathException: bad\n\tat a.B.c(D.java:1)\n").endswith("bad")
    assert java.telling_line("one\ntwo\n") == "two"
    assert java.telling_line("") == ""


def test_a_format_that_does_not_end_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broker").mkdir()
    monkeypatch.setattr(java, "_FORMAT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(java.KafkaJava, "command", lambda *arguments, **options: ["sleep", "30"])
    begin = time.monotonic()
    with pytest.raises(TowerError, match=r"could not be made in .* within 0\.2 s"):
        java.KafkaJava(BrokerFiles(tmp_path), BrokerSettings(), []).format_data()
    assert time.monotonic() - begin < 20
