"""The commands `loadgen` and `replay`: what they refuse before anything is started, and how they end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import loadgen.history
import loadgen.replay
from control.cli import main
from control.commands import loadgen as loadgen_command
from control.commands import replay as replay_command
from schemas.kafka import KafkaSettings

IN_A_YEAR_MS = time.time_ns() // 1_000_000 + 365 * 86_400_000


@contextlib.contextmanager
def _no_kafka(*_: object, **__: object) -> Iterator[KafkaSettings]:
    yield KafkaSettings(bootstrap_servers="127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seed", "-1"], "expected a whole number from 0"),
        (["--rate", "1e308"], "expected a number of at most 10,000,000"),
        (["--speed", "1e9"], "expected a number of at most 100,000"),
        (["--history", "25000"], "expected a number of at most 3,650"),
        (["--history", "1", "--rate", "5"], "--rate and --history exclude each other"),
        (["--history", "1", "--for", "5"], "--for and --history exclude each other"),
        (["--history", "1", "--speed", "5"], "--speed and --history exclude each other"),
        (["--until", "1700000000000"], "--until says when a history ends"),
        (["--history", "1", "--until", "-5"], "between the year 2000 and now"),
        (["--history", "1", "--until", str(IN_A_YEAR_MS)], "between the year 2000 and now"),
    ],
)
def test_what_cannot_be_asked_of_the_load_generator_is_an_error_of_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main([f"--home={tmp_path}", "loadgen", "demo", *arguments], {}) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(("done", "exit_code"), [(True, 0), (False, 130)])
def test_a_replay_or_history_that_was_interrupted_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool, exit_code: int
) -> None:
    for command in (loadgen_command, replay_command):
        monkeypatch.setattr(command, "reachable_kafka", _no_kafka)
    monkeypatch.setattr(loadgen.replay, "replay", lambda **_: done)
    monkeypatch.setattr(loadgen.history, "replay_history", lambda **_: done)
    file = tmp_path / "a.csv"
    file.write_text("ts,pred\n")
    assert main([f"--home={tmp_path}", "replay", str(file), "--model", "m"], {}) == exit_code
    assert main([f"--home={tmp_path}", "loadgen", "demo", "--history", "1"], {}) == exit_code


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("a.xlsx", [], "the format of a.xlsx is unknown"),
        ("a.csv", ["--map", "lable=pred"], "did you mean label?"),
        ("a.csv", ["--map", "label=truth"], "truth"),
        ("a.csv", ["--model-version", ""], "--model-version must have 1 to 128 characters"),
        ("a.csv", ["--label-delay", "5x"], "--label-delay: '5x' is not a duration: write a number and a unit"),
        ("a.csv", ["--label-delay", "9" * 400 + "d"], "is longer than ten thousand years"),
        ("a.csv", ["--speed", "fast"], "--speed: expected a number above 0, got 'fast'; or max"),
    ],
)
def test_what_cannot_be_replayed_is_refused_before_a_kafka_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, arguments: list[str], says: str
) -> None:
    file = tmp_path / name
    file.write_text("ts,pred\n1714560000,1\n")
    assert main([f"--home={tmp_path}", "replay", str(file), "--model", "m", *arguments], {}) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]
