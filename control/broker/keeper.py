"""The keeper: a detached process beside the JVM, one for a home.

It restarts a JVM that died, on the same port and folder, and ends it when no process uses the broker any more.
Nobody has to say goodbye: users hold a shared file lock, and a lock ends with its process, also by kill -9.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import psutil

from control.broker import java
from control.broker.files import BrokerFiles, BrokerState, Status, read_state, write_state
from control.broker.jars import checked_jars, read_lock
from control.broker.settings import BrokerSettings, Ports
from control.filelock import FileLock, try_lock, wait_for_lock
from schemas.errors import TowerError

_TICK_S = 0.1
_STOP_PATIENCE_S = 8.0
_LONGEST_BACKOFF_S = 10.0
_TRIES_BEFORE_FIRST_START = 3


class Keeper:
    """Runs Kafka for one home until nobody uses it; `stopping` says that a signal came."""

    def __init__(self, kafka: java.KafkaJava, random: Random, stopping: Callable[[], bool]) -> None:
        self._kafka = kafka
        self._files = kafka.files
        self._random = random
        self._stopping = stopping
        self._restarts = 0
        self._listened = False
        self._closed: FileLock | None = None

    def run(self) -> None:
        """Block until nobody uses the broker, or a signal came; Kafka has ended then.

        Raises TowerError when Kafka does not start.
        """
        previous = read_state(self._files.state)
        if (stale := java.leftover(previous)) is not None:
            java.end(stale, _STOP_PATIENCE_S)
        ports = Ports(previous.port, previous.controller_port) if previous else None
        failures = 0
        while True:
            ports = self._next_ports(ports)
            started = time.monotonic()
            if self._run_once(ports):
                return
            if self._listened and time.monotonic() - started > _LONGEST_BACKOFF_S:
                failures = 0
            failures += 1
            self._restarts += 1
            if not self._listened and failures >= _TRIES_BEFORE_FIRST_START:
                raise TowerError(
                    f"Kafka did not start: {self._kafka.last_words() or 'it said nothing'}", f"see {self._files.logs / 'kafka.log'}"
                )
            if self._wait(min(0.2 * 2**failures, _LONGEST_BACKOFF_S)):
                return

    def _next_ports(self, last: Ports | None) -> Ports:
        """Return the ports of the next start: those that clients know, as soon as our Kafka itself has listened on them."""
        if self._listened and last:
            return last
        return java.free_ports(self._random, last)

    def _run_once(self, ports: Ports) -> bool:
        """Run one JVM; True when it was ended on purpose, False when it ended by itself or did not come up."""
        self._files.folder.mkdir(parents=True, exist_ok=True)
        self._files.logs.mkdir(parents=True, exist_ok=True)
        self._kafka.format_data()
        jvm = self._kafka.start(ports)
        created = psutil.Process(jvm.pid).create_time()

        def say(status: Status) -> None:
            write_state(
                self._files.state,
                BrokerState(status, os.getpid(), ports.clients, ports.controller, jvm.pid, created, self._restarts),
            )

        say("starting")
        try:
            deadline = time.monotonic() + self._kafka.settings.start_timeout_ms / 1000
            listening = False
            while jvm.poll() is None:
                if not listening and java.listens(jvm.pid, ports.clients):
                    listening = self._listened = True
                    say("listening")
                if not listening and time.monotonic() > deadline:
                    return False
                if self._wait(_TICK_S):
                    say("stopping")
                    return True
            return False
        finally:
            java.end(jvm, _STOP_PATIENCE_S)

    def _wait(self, seconds: float) -> bool:
        """Wait, and return True as soon as Kafka is to end.

        The exclusive lock on the users' file is kept from then on: a newcomer waits until all has ended, and starts anew.
        """
        end = time.monotonic() + seconds
        while True:
            self._closed = self._closed or try_lock(self._files.users)
            if self._closed or self._stopping():
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(min(_TICK_S, seconds))


def main(arguments: list[str]) -> int:
    """Keep the broker of a home; the caller is `control.broker.embedded`.

    Returns 0 when nobody uses it any more, when a signal came, and at once when another keeper holds the home; 1 when Kafka fails.
    """
    parser = argparse.ArgumentParser(prog="python -m control.broker.keeper")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--settings", required=True, help="BrokerSettings as JSON")
    options = parser.parse_args(arguments)
    # A session of its own: Ctrl-C in the starter's terminal is not for us.
    os.setsid()
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, frame: signals.append(received))
    files = BrokerFiles(options.home)
    # Patient: whoever asks whether a keeper lives holds this lock for a moment.
    lock = wait_for_lock(files.keeper, 3.0)
    if lock is None:
        return 0
    with lock:
        try:
            settings = msgspec.json.decode(options.settings, type=BrokerSettings)
            kafka = java.KafkaJava(files, settings, checked_jars(options.cache, read_lock()))
            Keeper(kafka, Random(), lambda: bool(signals)).run()
        except (TowerError, OSError) as error:
            last = read_state(files.state)
            ports = Ports(last.port, last.controller_port) if last else Ports(0, 0)
            write_state(files.state, BrokerState("failed", os.getpid(), ports.clients, ports.controller, error=str(error)))
            return 1
        last = read_state(files.state)
        if last is not None:
            write_state(files.state, BrokerState("stopped", os.getpid(), last.port, last.controller_port))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
