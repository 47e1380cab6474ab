"""Jars, Kafka's and others: downloaded once into the user's cache folder, and used only when their SHA-256 is the committed one."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec

from control.filelock import wait_for_lock
from schemas.errors import TowerError

LOCK_FILE = Path(__file__).with_name("jars.lock.json")
_PARALLEL_DOWNLOADS = 4
_TIMEOUT_S = 30
_STAGING = ".download-"


class Jar(msgspec.Struct, frozen=True):
    """One locked artifact; `size` in bytes is there for the progress only."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """The name of the jar in the cache."""
        return f"{self.artifact}-{self.version}.jar"


class JarLock(msgspec.Struct, frozen=True):
    """A committed lock: what it is of, which version, and every jar on its class path."""

    version: str
    jars: list[Jar]
    name: str = "Kafka"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the first download is: jars and bytes done of those that were missing."""

    jars_done: int
    jars: int
    bytes_done: int
    bytes: int


def read_lock(path: Path = LOCK_FILE) -> JarLock:
    """Return the committed lock."""
    return msgspec.json.decode(path.read_bytes(), type=JarLock)


def user_cache(environment: Mapping[str, str]) -> Path:
    """Return Control Tower's folder in the user's cache: homes come and go, the jars stay.

    Raises TowerError for a user without a home folder.
    """
    configured = environment.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore a relative path.
    try:
        base = Path(configured) if Path(configured).is_absolute() else Path.home() / ".cache"
    except RuntimeError as error:
        raise TowerError("this user has no home folder to keep Kafka's jars in", "set XDG_CACHE_HOME to a folder") from error
    return base / "control-tower"


def jar_folder(cache: Path, lock: JarLock) -> Path:
    """Return the folder of a lock's jars."""
    return cache / f"{lock.name.lower().replace(' ', '-')}-{lock.version}"


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_jars(cache: Path, lock: JarLock) -> list[Path]:
    """Return the paths of all jars, each checked against the lock.

    Raises TowerError when one is missing or is not the one that was locked.
    """
    folder = jar_folder(cache, lock)
    for jar in lock.jars:
        path = folder / jar.file_name
        if not path.is_file():
            raise TowerError(f"{lock.name}'s jar {path} is missing", "start any command that needs it to download it again")
        _refuse_unless_locked(jar, path)
    return [folder / jar.file_name for jar in lock.jars]


def ensure_jars(cache: Path, lock: JarLock, report: Callable[[Progress], None]) -> list[Path]:
    """Return the paths of all jars, after downloading those that are missing. All are checked against the lock.

    Safe when several processes come at once: one downloads, the others wait for it.
    Raises TowerError when there is no network, or when a jar is not the one that was locked.
    """
    folder = jar_folder(cache, lock)
    if os.pathsep in str(folder):
        raise TowerError(f"Java cannot use jars in {folder}, whose name contains {os.pathsep!r}", "set XDG_CACHE_HOME to another folder")
    if all((folder / jar.file_name).is_file() for jar in lock.jars):
        return checked_jars(cache, lock)
    try:
        alone = wait_for_lock(folder / ".lock", float("inf"))
    except TowerError as error:
        raise TowerError(error.what, "make it possible, or set XDG_CACHE_HOME to a folder that can be written") from error
    assert alone is not None
    with alone:
        missing = [jar for jar in lock.jars if not (folder / jar.file_name).is_file()]
        if missing:
            # What downloads that were killed have left.
            for stale in folder.glob(f"{_STAGING}*"):
                shutil.rmtree(stale, ignore_errors=True)
            _download_all(lock.name, missing, folder, report)
    return checked_jars(cache, lock)


def _download_all(name: str, missing: list[Jar], folder: Path, report: Callable[[Progress], None]) -> None:
    """Download side by side, in threads that nobody waits for: a Ctrl-C does not wait for a server that does not answer."""
    total = sum(jar.size for jar in missing)
    jars_done = bytes_done = 0
    report(Progress(0, len(missing), 0, total))
    waiting: SimpleQueue[Jar] = SimpleQueue()
    done: SimpleQueue[Jar | BaseException] = SimpleQueue()
    for jar in missing:
        waiting.put(jar)
    # A thread that is left alone may still write into it while it is removed.
    with tempfile.TemporaryDirectory(dir=folder, prefix=_STAGING, ignore_cleanup_errors=True) as staging:

        def work() -> None:
            with suppress(Empty):
                while True:
                    jar = waiting.get_nowait()
                    try:
                        _download(name, jar, Path(staging), folder)
                    except BaseException as error:
                        done.put(error)
                        return
                    done.put(jar)

        for _ in range(_PARALLEL_DOWNLOADS):
            threading.Thread(target=work, name="jar", daemon=True).start()
        try:
            while jars_done < len(missing):
                one = done.get()
                if isinstance(one, BaseException):
                    raise one
                jars_done += 1
                bytes_done += one.size
                report(Progress(jars_done, len(missing), bytes_done, total))
        finally:
            with suppress(Empty):
                while True:
                    waiting.get_nowait()


def _download(name: str, jar: Jar, staging: Path, folder: Path) -> None:
    """Download one jar beside its place, check it, and only then put it there."""
    # Imported here: it costs 0.3 s, and only the first run needs it.
    import requests
    from jgo.maven import MavenContext

    logging.getLogger("jgo").setLevel(logging.ERROR)
    context = MavenContext(repo_cache=staging, timeout=_TIMEOUT_S)
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    try:
        downloaded = context.resolver.download(artifact)
    except requests.RequestException as error:
        raise TowerError(
            f"{name} could not be downloaded: no connection to Maven Central ({type(error).__name__} at {jar.file_name})",
            "check the network and run again; what is already there is kept",
        ) from error
    except RuntimeError as error:
        raise TowerError(
            f"{name} could not be downloaded: Maven Central does not serve {jar.file_name}",
            "check the network (a proxy may be answering) and run again; what is already there is kept",
        ) from error
    if downloaded is None:
        raise TowerError(f"{name} could not be downloaded: {jar.file_name} did not arrive", "check the network and run again")
    _refuse_unless_locked(jar, downloaded)
    os.replace(downloaded, folder / jar.file_name)


def _refuse_unless_locked(jar: Jar, path: Path) -> None:
    actual = sha256_of(path)
    if actual != jar.sha256:
        raise TowerError(
            f"{path} is refused: its SHA-256 is {actual[:16]}..., the locked one is {jar.sha256[:16]}...",
            "delete that file and run again; if it comes back, whatever serves it has changed it",
        )
