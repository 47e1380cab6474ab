"""Joining the embedded Kafka of a home: whoever comes first starts it, the last one to leave ends it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from control.broker.files import BrokerFiles, read_state, write_state
from control.broker.jars import Progress, ensure_jars, read_lock, user_cache
from control.broker.java import wait_for_end
from control.broker.settings import BrokerSettings
from control.filelock import FileLock, is_locked, try_lock, wait_for_lock
from schemas.errors import BrokerUnavailable, TowerError
from schemas.kafka import KafkaSettings, admin_config

_ROOT = Path(__file__).resolve().parents[2]
_POLL_S = 0.05
_WATCH_S = 1.0
# A keeper that is ending Kafka needs some seconds; a first download by another command can take minutes.
_LEAVING_DEADLINE_S = 30.0
_DOWNLOAD_DEADLINE_S = 600.0


def say_nothing(text: str) -> None:
    """A `report` for those who do not want one."""


class EmbeddedBroker:
    """This process's share in the embedded Kafka of `home`; use it in a `with` statement, or `start` and `stop`.

    While it is held, Kafka answers on `bootstrap_servers` on 127.0.0.1; a Kafka or a keeper that is killed comes back on the same port.
    `report` gets one line of text whenever there is something to tell, `progress` how far the first download is.
    """

    def __init__(
        self,
        home: Path,
        settings: BrokerSettings | None = None,
        *,
        cache: Path | None = None,
        report: Callable[[str], None] = say_nothing,
        progress: Callable[[str], None] = say_nothing,
    ) -> None:
        self._files = BrokerFiles(home.resolve())
        self._settings = settings or BrokerSettings()
        self._cache = (cache or user_cache(os.environ)).resolve()
        self._report = report
        self._progress = progress
        self._share: FileLock | None = None
        self._keepers: list[int] = []
        self._leaving = threading.Event()
        self._watcher: threading.Thread | None = None
        self.bootstrap_servers = ""

    def start(self) -> KafkaSettings:
        """Join the broker, or start it, and return where it is once it answers.

        Raises TowerError when the jars cannot be had or Kafka does not start.
        """
        if self._share is None:
            self._share = wait_for_lock(self._files.users, _LEAVING_DEADLINE_S, shared=True)
            if self._share is None:
                raise BrokerUnavailable(
                    f"the embedded Kafka of {self._files.home} is ending and does not finish",
                    f"look into {self._files.logs}, or use another TOWER_HOME",
                )
            try:
                self.bootstrap_servers = f"127.0.0.1:{self._ensure_keeper()}"
                self._wait_until_it_answers()
            except BaseException:
                self.stop()
                raise
            self._watcher = threading.Thread(target=self._watch, name="broker-watch", daemon=True)
            self._watcher.start()
        return KafkaSettings(bootstrap_servers=self.bootstrap_servers)

    def stop(self) -> None:
        """Leave the broker. The last one to leave waits until Kafka and its keeper have ended."""
        self._leaving.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        if self._share is None:
            return
        self._share.release()
        self._share = None
        end = time.monotonic() + _LEAVING_DEADLINE_S
        # A keeper of ours that has only just been started holds no lock yet.
        while self._keepers or is_locked(self._files.keeper):
            if self._others_use_it() or time.monotonic() > end:
                return
            self._reap()
            time.sleep(_POLL_S)
        # It gives the lock back a moment before its process is gone.
        state = read_state(self._files.state)
        if state is not None:
            wait_for_end(state.keeper_pid, patience_s=2.0)

    def __enter__(self) -> KafkaSettings:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _others_use_it(self) -> bool:
        """Say whether other processes hold a share; a keeper that is ending Kafka holds the file exclusively, and does not count."""
        alone = try_lock(self._files.users)
        if alone is not None:
            alone.release()
            return False
        share = try_lock(self._files.users, shared=True)
        if share is None:
            return False
        share.release()
        return True

    def _ensure_keeper(self, patience_s: float = _DOWNLOAD_DEADLINE_S) -> int:
        """Return the port of a Kafka that listens, after starting a keeper when there is none."""
        starter = wait_for_lock(self._files.starter, patience_s)
        if starter is None:
            raise BrokerUnavailable(
                f"another command has been starting the embedded Kafka for {patience_s:.0f} s", "end that command and try again"
            )
        with starter:
            return self._start_and_wait()

    def _start_and_wait(self) -> int:
        """Return the port of a Kafka that listens; the starter's lock is ours."""
        end = time.monotonic() + 2 * self._settings.start_timeout_ms / 1000
        while time.monotonic() < end:
            keeper = 0
            if not is_locked(self._files.keeper):
                ensure_jars(self._cache, read_lock(), self._report_download)
                self._reap()
                self._mark_as_starting()
                keeper = self._spawn_keeper()
            port = self._wait_until_it_listens(keeper, end)
            if port is not None:
                return port
        raise BrokerUnavailable("the embedded Kafka does not come up", f"see {self._files.logs / 'kafka.log'}")

    def _mark_as_starting(self) -> None:
        """Take back what a killed keeper said last: else its old port is believed as soon as the next one holds the lock.

        We hold the starter's lock and no keeper runs, so nobody else writes. The rest is for the next keeper: ports, a JVM left over.
        """
        state = read_state(self._files.state)
        if state is not None:
            write_state(self._files.state, msgspec.structs.replace(state, status="starting", error=""))

    def _spawn_keeper(self) -> int:
        self._files.logs.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            # The folder that the command is called from is no place to import from.
            "-P",
            "-m",
            "control.broker.keeper",
            f"--home={self._files.home}",
            f"--cache={self._cache}",
            f"--settings={msgspec.json.encode(self._settings).decode()}",
        ]
        log = os.open(self._files.logs / "kafka-keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            # posix_spawn, not Popen: the keeper may outlive us, which Popen warns about.
            pid = os.posix_spawn(
                sys.executable,
                command,
                {**os.environ, "PYTHONPATH": str(_ROOT)},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, nothing, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
            )
        finally:
            os.close(log)
            os.close(nothing)
        self._keepers.append(pid)
        return pid

    def _wait_until_it_listens(self, keeper: int, end: float) -> int | None:
        """Return the port as soon as a keeper says that Kafka listens; None when there is no keeper, or the time is over.

        `keeper` is the one that we started, 0 when another command's is there. Ours may find that a command which was killed has
        started another one a moment before: it ends with 0 then, and the other one is waited for.
        Raises BrokerUnavailable when ours failed.
        """
        while time.monotonic() < end:
            code = self._reap().get(keeper)
            # Looked at in this order: what a keeper says last, it says before it gives its lock back.
            held = is_locked(self._files.keeper)
            state = read_state(self._files.state)
            if held and state is not None and state.status == "listening":
                return state.port
            if self._leaving.is_set():
                raise BrokerUnavailable("left before the embedded Kafka came up")
            if code:
                if state is not None and state.status == "failed" and state.keeper_pid == keeper:
                    raise BrokerUnavailable(state.error)
                raise BrokerUnavailable("the keeper of the embedded Kafka ended", f"see {self._files.logs / 'kafka-keeper.log'}")
            if code == 0:
                keeper = 0
            if not held and not keeper:
                return None
            time.sleep(_POLL_S)
        return None

    def _wait_until_it_answers(self) -> None:
        admin = AdminClient(admin_config(KafkaSettings(bootstrap_servers=self.bootstrap_servers)))
        end = time.monotonic() + self._settings.start_timeout_ms / 1000
        while True:
            try:
                admin.list_topics(timeout=1.0)
                return
            except KafkaException as error:
                if time.monotonic() > end:
                    raise BrokerUnavailable(
                        f"the embedded Kafka on {self.bootstrap_servers} does not answer: {error.args[0].str()}",
                        f"see {self._files.logs / 'kafka.log'}",
                    ) from error

    def _watch(self) -> None:
        """Start a new keeper when ours was killed; Kafka itself is the keeper's to watch.

        What goes wrong is said when it begins and when it changes, and tried again every second.
        """
        said = ""
        while not self._leaving.wait(_WATCH_S):
            try:
                if is_locked(self._files.keeper) or (starter := try_lock(self._files.starter)) is None:
                    # It lives, or another command is starting it.
                    said = ""
                    continue
                with starter:
                    if not said:
                        self._report("the embedded Kafka's keeper was killed; starting it again")
                    self._start_and_wait()
                words = ""
            except TowerError as error:
                words = str(error)
            except OSError as error:
                words = f"the embedded Kafka's keeper cannot be started: {error.strerror or error} ({error.filename or self._files.home})"
            if words and words != said and not self._leaving.is_set():
                self._report(words)
            said = words

    def _reap(self) -> dict[int, int]:
        """Collect our keepers that have ended, so that no zombie stays; return pid -> exit code."""
        ended = {}
        for pid in list(self._keepers):
            try:
                collected, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                # Whoever started us ignores SIGCHLD: the system has collected it.
                collected, status = pid, 0
            if collected == pid:
                self._keepers.remove(pid)
                ended[pid] = os.waitstatus_to_exitcode(status)
        return ended

    def _report_download(self, progress: Progress) -> None:
        self._progress(
            f"downloading Kafka: {progress.jars_done} of {progress.jars} jars, "
            f"{progress.bytes_done / 1e6:.0f} of {progress.bytes / 1e6:.0f} MB (the first time only)"
        )
