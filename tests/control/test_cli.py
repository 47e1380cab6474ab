"""The command line: exit codes, errors of one line, and no traceback that nobody asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from control.cli import build_parser, main
from control.commands import doctor
from schemas.errors import LogTruncated
from tests.control.command_line import tower

COMMANDS = ["demo", "test", "up", "broker", "pipeline", "dashboard", "loadgen", "replay", "query", "doctor"]


@pytest.mark.parametrize("arguments", [["--help"], *[[command, "--help"] for command in COMMANDS]])
def test_every_command_has_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        build_parser().parse_args(arguments)
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert "usage: tower" in text
    assert "--home" in text


def test_commands_of_later_parts_are_absent() -> None:
    for command in ("alerts", "archive"):
        with pytest.raises(Exception, match="invalid choice"):
            build_parser().parse_args([command])


def test_the_contracts_flags_are_understood() -> None:
    parse = build_parser().parse_args
    demo = parse(["demo", "--for", "60", "--rate", "500", "--port", "5100", "--no-browser"])
    assert (demo.duration_s, demo.rate, demo.port, demo.no_browser) == (60, 500, 5100, True)
    pipeline = parse(["pipeline", "--until-caught-up", "--processes", "2"])
    assert (pipeline.until_caught_up, pipeline.processes) == (True, 2)
    load = parse(["loadgen", "demo", "--rate", "10", "--for", "5", "--seed", "7", "--speed", "60"])
    assert (load.scenario, load.rate, load.duration_s, load.seed, load.speed) == ("demo", 10, 5, 7, 60)
    line = "replay a.csv --model m --model-version 1 --map label=y created_at=t --map score=p --features a,b --label-delay 2h --speed max"
    replay = parse(line.split())
    assert (replay.model, replay.model_version, replay.features, replay.label_delay, replay.speed) == ("m", "1", "a,b", "2h", None)
    assert replay.map == ["label=y", "created_at=t", "score=p"]
    assert parse(["replay", "a.csv", "--model", "m", "--speed", "60"]).speed == 60
    assert parse(["query", "SELECT 1", "--format", "csv"]).format == "csv"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        ([], 2, "COMMAND"),
        (["nonsense"], 2, "invalid choice: 'nonsense'"),
        (["demo", "--for", "never"], 2, "expected a number above 0, got 'never'"),
        (["loadgen", "demo", "--rate", "-1"], 2, "expected a number above 0"),
        (["replay", "no-such.csv", "--model", "m"], 2, "no-such.csv is not a file"),
        (["--set", "pipeline.nope=1", "query", "SELECT 1"], 2, "did you mean"),
        (["query", "SELECT nope FROM metrics"], 1, "nope"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(tmp_path: Path, arguments: list[str], exit_code: int, says: str) -> None:
    done = tower(*arguments, home=tmp_path)
    assert done.returncode == exit_code
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("tower: ")
    assert says in done.stderr


def test_a_traceback_comes_with_debug_alone(tmp_path: Path) -> None:
    done = tower("query", "SELECT nope", "--debug", home=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("tower: ")


def test_the_folder_that_it_is_called_from_is_not_imported_from(tmp_path: Path) -> None:
    (tmp_path / "control.py").write_text("raise SystemExit('imported')")
    (tmp_path / "duckdb.py").write_text("raise SystemExit('imported')")
    done = tower("query", "SELECT 42 AS answer", "--format", "csv", home=tmp_path / "home", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "answer\n42\n")


def test_an_error_of_ours_is_found_under_those_that_wrap_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def wrapped(options: object, call: object) -> int:
        try:
            raise LogTruncated("events were lost", "raise the retention")
        except LogTruncated as error:
            raise RuntimeError("error in step read") from error

    monkeypatch.setattr(doctor, "run", wrapped)
    assert main(["doctor"], {}) == 1
    assert capsys.readouterr().err == "tower: events were lost - raise the retention\n"
