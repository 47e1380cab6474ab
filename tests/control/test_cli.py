"""The command line: exit codes, errors of one line, and no traceback that nobody asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from control.cli import ROOT, build_parser, main
from control.commands import doctor
from control.commands.command import Invocation
from schemas.errors import ConfigurationError, LogTruncated
from tests.control.command_line import clean_environment, tower

COMMANDS = ["demo", "test", "up", "broker", "pipeline", "dashboard", "loadgen", "replay", "query", "users", "doctor"]


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
    assert (replay.model, replay.model_version, replay.features, replay.label_delay, replay.speed) == ("m", "1", "a,b", 7_200_000, None)
    assert replay.map == ["label=y", "created_at=t", "score=p"]
    assert parse(["replay", "a.csv", "--model", "m", "--speed", "60"]).speed == 60
    assert parse(["query", "SELECT 1", "--format", "csv"]).format == "csv"


MISSPELT = ["--set", "kafka.bootstrap_servers=127.0.0.1:1", "--set", "kafka.options.sasl.passwordd=x"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        ([], 2, "COMMAND"),
        (["nonsense"], 2, "invalid choice: 'nonsense'"),
        (["demo", "--for", "never"], 2, "expected a number above 0, got 'never'"),
        (["loadgen", "demo", "--rate", "-1"], 2, "expected a number above 0"),
        ([*MISSPELT, "pipeline"], 2, 'No such configuration property: "sasl.passwordd"'),
        ([*MISSPELT, "dashboard"], 2, 'No such configuration property: "sasl.passwordd"'),
        (["pipeline", "--processes", "0"], 2, "argument --processes: expected a whole number from 1 to 64, got '0'"),
        (["--set", "pipeline.processes=0", "--set", "kafka.bootstrap_servers=127.0.0.1:1", "pipeline"], 2, "pipeline.processes: expected"),
        (["dashboard", "--port", "70000"], 2, "argument --port: expected a whole number from 1 to 65535, got '70000'"),
        (["--set", "dashboard.port=70000", "--set", "kafka.bootstrap_servers=127.0.0.1:1", "dashboard"], 2, "dashboard.port"),
        (["--set", "dashboard.host=0.0.0.0", "dashboard"], 2, "set access.login to password, proxy or oauth"),
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


@pytest.mark.parametrize("command", ["broker", "demo", "dashboard", "pipeline", "up"])
def test_a_home_that_cannot_be_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    done = tower(command, home=tmp_path / "file")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{tmp_path / 'file'}/run/" in done.stderr
    assert "cannot be made: Not a directory - " in done.stderr


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


def called(*arguments: str, environment: dict[str, str] | None = None) -> Invocation:
    return Invocation(ROOT, environment or {}, build_parser().parse_args(arguments))


def test_common_flags_hold_before_and_after_the_command(tmp_path: Path) -> None:
    flags = ["--home", "first", "--set", "kafka.event_partitions=7", "--set", "broker.memory_mb=1", "--debug"]
    call = called(*flags, "doctor", "--home", str(tmp_path), "--set", "broker.memory_mb=2", "--set", "kafka.replication_factor=3")
    config = call.config()
    assert (config.kafka.event_partitions, config.broker.memory_mb, config.kafka.replication_factor) == (7, 2, 3)
    assert config.home == tmp_path
    assert call.options.debug
    file = tmp_path / "other.toml"
    file.write_text("[kafka]\nevent_partitions = 9\n")
    assert called("--config", str(file), "doctor").config().kafka.event_partitions == 9


def test_what_was_set_reaches_the_parts_and_is_on_no_command_line() -> None:
    secret = "kafka.options.sasl.password=secret"
    call = called("--set", secret, "up", "--set", "kafka.event_partitions=7", "--debug")
    assert call.common_flags() == ["--debug"]
    part = called("pipeline", "--set", "kafka.replication_factor=2", environment=call.environment_of_parts()).config().kafka
    assert (part.options, part.event_partitions, part.replication_factor) == ({"sasl.password": "secret"}, 7, 2)


@pytest.mark.parametrize("assignment", ["kafka.optoins.sasl.password=secret", "kafka.options.sasl.password:secret", "kafka=secret"])
def test_an_error_about_a_value_that_may_be_secret_does_not_show_it(assignment: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        called("doctor", "--set", assignment).config()
    assert "--set kafka" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_reader_that_has_seen_enough_is_no_error_but_another_broken_pipe_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "control", "query", "SELECT * FROM range(300000)", "--format", "csv"],
        env=clean_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "range\n"
    process.stdout.close()
    assert (process.wait(60), process.stderr.read()) == (0, "")
    process.stderr.close()

    def broken(options: object, call: object) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(doctor, "run", broken)
    assert main(["doctor"], {}) == 1
    assert "unexpected BrokenPipeError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("redirection", "more", "says"),
    [
        (">&-", {}, "stdout is closed"),
        (">/dev/full", {}, "No space left on device"),
        (">/dev/null", {"PYTHONIOENCODING": "ascii"}, "'\\xfc' cannot be written in ascii - set PYTHONIOENCODING=utf-8"),
    ],
)
def test_an_output_that_cannot_be_written_is_one_line(tmp_path: Path, redirection: str, more: dict[str, str], says: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-P", "-m", "control", "query", "SELECT 'ü' AS a"],
        env=clean_environment(tmp_path, more),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert says in done.stderr


def test_an_interrupt_while_modules_are_imported_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "__init__.py").touch()
    (tmp_path / "control" / "__main__.py").write_bytes((ROOT / "control" / "__main__.py").read_bytes())
    # As an extension module does: whatever is raised while it is imported becomes an error of its own.
    (tmp_path / "control" / "cli.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    signal.pause()\n"
        "except BaseException as error:\n    raise ImportError('cannot be imported') from error\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-P", "-m", "control"], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_users_are_added_listed_and_removed(tmp_path: Path) -> None:
    def users(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "control", "--set", "access.login=password", "users", *arguments]
        return subprocess.run(command, input=given, env=clean_environment(tmp_path), capture_output=True, text=True, check=False)

    assert users("add", "ann", "--operator", given="correct horse battery\n").returncode == 0
    assert users("list").stdout == "ann\toperator\n"
    refused = users("add", "bob", given="short\n")
    assert (refused.returncode, refused.stderr.count("\n"), "short" in refused.stderr) == (2, 1, False)
    assert users("remove", "bob").returncode == 1
    assert users("remove", "ann").returncode == 0
    assert users("list").stdout == ""
