"""The script `./tower`: made once, from any folder, in any path, by any number at once."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAIN = "import os, sys\nprint(os.getcwd(), *sys.argv[1:], sep='|')\nraise SystemExit(7 if 'seven' in sys.argv else 0)\n"
TOOLS = ("sh", "dirname", "readlink", "cat", "rm", "cp")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the real script, and a command line that only says how it was called; its locks name no packages."""
    project = tmp_path / "a path's (name)"
    (project / "control").mkdir(parents=True)
    (project / "control" / "__init__.py").touch()
    (project / "control" / "__main__.py").write_text(MAIN)
    shutil.copy(ROOT / "tower", project)
    (project / "requirements.txt").write_text("# none\n")
    (project / "requirements-test.txt").write_text("# none for tests\n")
    return project


def start(
    script: Path, *arguments: str, cwd: Path | None = None, path: str | None = None, python_path: str | None = None
) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    if python_path is not None:
        environment["PYTHONPATH"] = python_path
    return subprocess.Popen(
        [str(script), *arguments],
        cwd=cwd,
        env={**environment, "PATH": path or os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def call(
    script: Path, *arguments: str, cwd: Path | None = None, path: str | None = None, python_path: str | None = None
) -> tuple[int, str, str]:
    process = start(script, *arguments, cwd=cwd, path=path, python_path=python_path)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_many_first_runs_at_once_make_one_set_up_and_later_runs_do_not_notice_it(project: Path, tmp_path: Path) -> None:
    processes = [start(project / "tower", "query", f"{number} a  b") for number in range(3)]
    ended = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    assert [out.split("|", 1)[1] for out, _ in ended] == [f"query|{number} a  b\n" for number in range(3)]
    assert sum("making .venv" in err for _, err in ended) == 1

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sitecustomize.py").write_text("print('imported from elsewhere')")
    link = elsewhere / "link to tower"
    link.symlink_to(project / "tower")
    # A small system has no cmp.
    assert call(link, "seven", "*", "$HOME", cwd=elsewhere, path=tools(tmp_path / "few")) == (7, f"{elsewhere}|seven|*|$HOME\n", "")
    assert "imported from elsewhere" not in call(link, "x", python_path=str(elsewhere))[1]

    def seconds(command: list[str]) -> float:
        begin = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env={**os.environ, "PYTHONPATH": str(project)})
        return time.perf_counter() - begin

    # The least of several: what a busy machine adds is not the script's.
    with_script = min(seconds([str(project / "tower"), "x"]) for _ in range(15))
    without = min(seconds([str(project / ".venv/bin/python"), "-P", "-m", "control", "x"]) for _ in range(15))
    assert with_script - without < 0.1

    # A set-up is noticed when the lock changes, and a .venv that was interrupted in its making is made anew.
    (project / "requirements.txt").write_text("# none still\n")
    code, _, err = call(project / "tower", "x")
    assert (code, "making .venv" in err, "installing the packages of requirements.txt" in err) == (0, False, True)
    code, _, err = call(project / "tower", "test", "-k", "a b")
    assert (code, "installing the packages of requirements-test.txt" in err) == (0, True)
    # What the tests need contains what the others need.
    assert call(project / "tower", "x")[2] == ""
    (project / ".venv" / ".tower-made").unlink()
    (project / ".venv" / ".tower-requirements-test.txt").unlink()
    code, _, err = call(project / "tower", "x")
    assert (code, "making .venv" in err) == (0, True)


def tools(folder: Path, *more: str) -> str:
    folder.mkdir()
    for name in (*TOOLS, *more):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return str(folder)


def test_without_a_python_that_suits_there_is_one_clear_line(project: Path, tmp_path: Path) -> None:
    path = tools(tmp_path / "bin")
    old = tmp_path / "bin" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    code, out, err = call(project / "tower", "demo", path=path)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "Python 3.11 or 3.12 is needed" in err


def test_packages_that_cannot_be_had_are_an_error_and_the_next_run_tries_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "requirements.txt").write_text("no-such-package-of-control-tower==1.0 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    code, out, err = call(project / "tower", "x")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("tower: the packages could not be installed - check the network")
    # What was installed by half is made anew.
    assert not (project / ".venv" / ".tower-made").exists()
    (project / "requirements.txt").write_text("# none\n")
    assert call(project / "tower", "x")[0] == 0


def test_a_folder_whose_name_has_a_colon_is_refused_in_one_line(project: Path) -> None:
    moved = project.rename(project.with_name("a:b"))
    code, out, err = call(moved / "tower", "x")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "has a colon in its name" in err


def test_an_interrupt_while_another_one_sets_up_says_nothing(project: Path) -> None:
    with (project / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start(project / "tower", "x")
        assert process.stderr is not None
        assert "another ./tower is setting up" in process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert (out, err) == ("", "")
