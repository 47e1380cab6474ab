"""Jars, Kafka's and others: downloaded once into the user's cache folder, and used only when their SHA-256 is the committed one."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.errors import TowerError

LOCK_FILE = Path(__file__).with_name("jars.lock.json")
_PARALLEL_DOWNLOADS = 4
_TIMEOUT_S = 30


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
    """Return Control Tower's folder in the user's cache: homes come and go, the jars stay."""
    configured = environment.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore a relative path.
    base = Path(configured) if Path(configured).is_absolute() else Path.home() / ".cache"
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
    if all((folder / jar.file_name).is_file() for jar in lock.jars):
        return checked_jars(cache, lock)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mutex = (folder / ".lock").open("a")
    except OSError as error:
        raise TowerError(
            f"the cache folder {folder} cannot be written: {error.strerror}", "make it writable or set XDG_CACHE_HOME to a folder that is"
        ) from error
    with mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        missing = [jar for jar in lock.jars if not (folder / jar.file_name).is_file()]
        if missing:
            _download_all(lock.name, missing, folder, report)
    return checked_jars(cache, lock)


def _download_all(name: str, missing: list[Jar], folder: Path, report: Callable[[Progress], None]) -> None:
    total = sum(jar.size for jar in missing)
    jars_done = bytes_done = 0
    report(Progress(0, len(missing), 0, total))
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as staging,
        ThreadPoolExecutor(_PARALLEL_DOWNLOADS, thread_name_prefix="jar") as pool,
    ):
        downloads = {pool.submit(_download, name, jar, Path(staging), folder): jar for jar in missing}
        try:
            for download in as_completed(downloads):
                download.result()
                jars_done += 1
                bytes_done += downloads[download].size
                report(Progress(jars_done, len(missing), bytes_done, total))
        finally:
            pool.shutdown(cancel_futures=True)


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
