"""Kafka's jars: those of the committed lock, or none."""

from __future__ import annotations

import hashlib
import signal
import threading
from pathlib import Path

import pytest

from control.broker import EmbeddedBroker, jars
from control.broker.jars import Jar, JarLock, checked_jars, ensure_jars, jar_folder, read_lock, user_cache
from schemas.errors import TowerError

CONTENT = b"a jar"
LOCK = JarLock("9.9.9", [Jar("org.example", "one", "1.0", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))])


def put(cache: Path, content: bytes) -> Path:
    folder = jar_folder(cache, LOCK)
    folder.mkdir(parents=True)
    path = folder / "one-1.0.jar"
    path.write_bytes(content)
    return path


def test_the_committed_lock_has_a_sum_for_every_jar() -> None:
    lock = read_lock()
    assert lock.version.startswith("4.3.")
    assert {len(jar.sha256) for jar in lock.jars} == {64}
    assert len({jar.file_name for jar in lock.jars}) == len(lock.jars)
    assert "kafka_2.13" in {jar.artifact for jar in lock.jars}


def test_a_jar_that_is_the_locked_one_is_used_without_asking_anybody(tmp_path: Path) -> None:
    path = put(tmp_path, CONTENT)
    assert ensure_jars(tmp_path, LOCK, lambda progress: pytest.fail("nothing is to be downloaded")) == [path]


def test_a_jar_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, CONTENT + b"!")
    with pytest.raises(TowerError, match=r"one-1\.0\.jar is refused: its SHA-256 is .* delete that file"):
        ensure_jars(tmp_path, LOCK, lambda progress: None)
    assert path.exists()


def test_a_missing_jar_is_an_error_for_those_who_do_not_download(tmp_path: Path) -> None:
    with pytest.raises(TowerError, match="is missing"):
        checked_jars(tmp_path, LOCK)


def test_without_a_network_there_is_one_clear_line_and_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 9 discards, and nothing listens there: every connection to the outside is refused.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(TowerError, match="Kafka could not be downloaded: no connection to Maven Central") as error:
        EmbeddedBroker(tmp_path / "home", cache=tmp_path / "cache").start()
    assert "\n" not in str(error.value)
    assert list((tmp_path / "cache").rglob("*.jar")) == []


def test_the_cache_is_where_the_user_keeps_caches(tmp_path: Path) -> None:
    assert user_cache({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "control-tower"
    assert user_cache({"XDG_CACHE_HOME": "not/absolute"}) == user_cache({}) == Path.home() / ".cache" / "control-tower"


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(TowerError, match=r"no home folder .* set XDG_CACHE_HOME"):
        user_cache({})


def test_a_cache_that_java_would_take_for_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TowerError, match="set XDG_CACHE_HOME to another folder"):
        ensure_jars(tmp_path / "a:b", LOCK, lambda progress: None)


def test_what_a_killed_download_left_is_removed_by_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = jar_folder(tmp_path, LOCK)
    (folder / ".download-old" / "half").mkdir(parents=True)
    monkeypatch.setattr(jars, "_download", lambda name, jar, staging, folder: (folder / jar.file_name).write_bytes(CONTENT))
    assert ensure_jars(tmp_path, LOCK, lambda progress: None) == [folder / "one-1.0.jar"]
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "one-1.0.jar"]


def test_an_interrupt_does_not_wait_for_a_server_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = threading.Event(), threading.Event()

    def never(name: str, jar: Jar, staging: Path, folder: Path) -> None:
        asked.set()
        answer.wait(60)

    def interrupt() -> None:
        asked.wait(60)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)  # as Ctrl-C: it wakes a thread that waits

    monkeypatch.setattr(jars, "_download", never)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        ensure_jars(tmp_path, LOCK, lambda progress: None)
    assert not answer.is_set()
    answer.set()
    assert [path.name for path in jar_folder(tmp_path, LOCK).iterdir()] == [".lock"]
