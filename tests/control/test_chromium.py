"""The browser of the tests: the one that is there, else one from the system's packages, else the exact command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from control import chromium
from schemas.errors import TowerError


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on its PATH but what a test puts there, run as root, without Playwright's own browser."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def put(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_systems_chromium_is_taken_as_it_is(system: Path) -> None:
    assert chromium.find_chromium() is None
    there = put(system, "chromium", "exit 0")
    assert chromium.ensure_chromium() == there


def test_root_on_debian_installs_it(system: Path) -> None:
    installs = f'printf "" > "{system}/chromium"; /bin/chmod 755 "{system}/chromium"'
    put(system, "apt-get", f'echo "$@" >> "{system}/calls"; [ "$1" = update ] || {{ {installs}; }}')
    assert chromium.ensure_chromium() == system / "chromium"
    assert (system / "calls").read_text().splitlines() == ["update", "install --yes --no-install-recommends chromium"]


def test_an_installation_that_fails_names_its_reason_and_the_command(system: Path) -> None:
    put(system, "apt-get", "echo 'E: no connection'; exit 100")
    with pytest.raises(
        TowerError, match=r"could not be installed: E: no connection - run: apt-get update && apt-get install .*chromium"
    ) as error:
        chromium.ensure_chromium()
    assert "\n" not in str(error.value)
