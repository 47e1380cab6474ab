"""All parts of one command: started, kept running, and stopped together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from control.console import Console
from control.filelock import FileLock, try_lock
from control.supervisor.logs import LogFollower, bound_log
from control.supervisor.part import Part, PartSpec
from schemas.errors import ConfigurationError, HomeInUse, TowerError

_STOP_PATIENCE_S = 8.0
_TRIES_BEFORE_FIRST_HEALTH = 4
_WRONG_CONFIGURATION = 2


class Supervisor:
    """Runs parts for one home; use it in a `with` statement, at whose end all parts have ended.

    Parts stop in the order opposite to their start, so that a source of load ends before what works on it.
    Raises HomeInUse when another supervisor runs on this home.
    """

    def __init__(self, *, home: Path, root: Path, flags: list[str], environment: Mapping[str, str], console: Console) -> None:
        self._home = home
        self._root = root
        self._flags = flags
        self._environment = environment
        self._console = console
        self._parts: list[Part] = []
        self._followers: dict[str, tuple[LogFollower, Callable[[str], None]]] = {}
        self._lock: FileLock | None = None

    def __enter__(self) -> Supervisor:
        self._lock = try_lock(self._home / "run" / "supervisor.lock")
        if self._lock is None:
            raise HomeInUse(f"another ./tower demo or up runs in {self._home}", "stop it, or set TOWER_HOME to another folder")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        if self._lock:
            self._lock.release()

    def start(self, spec: PartSpec, *, show: Callable[[str], None] | None = None) -> Part:
        """Start a part; `show` gets each line that it writes, which else go to its log alone."""
        log = self._home / "logs" / f"{spec.name}.log"
        # Its errors go to its log, where there is room for the traceback.
        arguments = (*spec.arguments, *self._flags, *(() if "--debug" in self._flags else ("--debug",)))
        part = Part(PartSpec(spec.name, arguments, spec.repeats), log, self._root, self._environment)
        # Known before it runs: a stop that comes in between finds it.
        self._parts.append(part)
        part.start()
        if show:
            self._followers[spec.name] = (LogFollower(log), show)
        return part

    def tend(self) -> None:
        """Look after all parts once: show their lines, start again what has ended.

        Raises TowerError when a part cannot run: its configuration is wrong, or it never came up.
        """
        for part in list(self._parts):
            self._show(part)
            bound_log(part.log)
            code = part.exit_code()
            if code is not None:
                self._ended(part, code)
            elif part.due():
                part.start()
                if (followed := self._followers.get(part.spec.name)) is not None:
                    # It writes a new log from now on.
                    self._followers[part.spec.name] = (LogFollower(part.log), followed[1])

    def running(self, part: Part) -> bool:
        """Say whether a part is still among those that are looked after; one that does not repeat leaves when it is done."""
        return part in self._parts

    def _ended(self, part: Part, code: int) -> None:
        name, words = part.spec.name, part.last_words()
        if not part.spec.repeats:
            part.end()
            self._parts.remove(part)
            if code != 0:
                raise TowerError(f"{name} ended with exit code {code}: {words or 'it said nothing'}", f"see {part.log}")
            return
        delay = part.note_end()
        if code == _WRONG_CONFIGURATION:
            raise ConfigurationError(_own_words(words) or f"{name} has a wrong configuration", f"see {part.log}")
        if not part.was_healthy and part.failures >= _TRIES_BEFORE_FIRST_HEALTH:
            raise TowerError(f"{name} ended {part.failures} times, last with exit code {code}: {words}", f"see {part.log}.1 and {part.log}")
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._console.line(f"{name} {how}{': ' + words if words and code > 0 else ''}; starting it again in {delay:.0f} s")

    def _show(self, part: Part) -> None:
        if (followed := self._followers.get(part.spec.name)) is not None:
            follower, show = followed
            for line in follower.new_lines():
                show(line)

    def stop(self) -> None:
        """Stop all parts: the last ones first, politely, and after some seconds by force."""
        for part in reversed(self._parts):
            part.ask_to_stop()
        end = time.monotonic() + _STOP_PATIENCE_S
        for part in reversed(self._parts):
            if not part.wait(max(0.0, end - time.monotonic())):
                self._console.line(f"{part.spec.name} did not stop within {_STOP_PATIENCE_S:.0f} s; ending it")
            part.end()
        # What they said at last comes when all have ended, so that no error in the saying keeps one alive.
        for part in reversed(self._parts):
            self._show(part)
        self._parts.clear()


def _own_words(line: str) -> str:
    return line.removeprefix("tower: ")
