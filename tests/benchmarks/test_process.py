"""Running a program: its cost, its end, and the end of what it started."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.throughput.process import run
from schemas.errors import TowerError
from tests.waiting import wait_until

BUSY = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
print('starting')
print('{"events": 3, "seconds": 1.5, "processor_seconds": 0.5, "windows": [["churn", 0, 1, 2.0, 3.0]]}')
"""
HOLDS_AND_COUNTS = """
import time
held = bytearray(100_000_000)
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
"""
LEAVES_A_CHILD = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(float(sys.argv[2]))
"""


def python(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", text, *arguments]


def has_ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_cost_counts_the_children_and_the_report_is_the_last_line(tmp_path: Path) -> None:
    cost = run("a program", python(BUSY, HOLDS_AND_COUNTS), root=tmp_path, limit_s=60)
    assert cost.processor > 0.5
    assert cost.memory > 100_000_000
    report = cost.report()
    assert (report.events, report.seconds, report.late) == (3, 1.5, None)
    assert report.windows == [("churn", 0, 1, 2.0, 3.0)]


@pytest.mark.parametrize(("sleep_s", "limit_s"), [(0, 60), (600, 1)])
def test_what_a_program_leaves_behind_ends_with_it(sleep_s: int, limit_s: int, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = python(LEAVES_A_CHILD, str(pid_file), str(sleep_s))
    if sleep_s > limit_s:
        with pytest.raises(TowerError, match="took longer than 1 s"):
            run("a program", command, root=tmp_path, limit_s=limit_s)
    else:
        run("a program", command, root=tmp_path, limit_s=limit_s)
    pid = int(pid_file.read_text())
    wait_until(lambda: has_ended(pid), "the child has ended")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('no such topic')", "ValueError: no such topic"),
        ("import sys; sys.exit('Exception in thread main\\nCaused by: refused\\n\\tat Some.java:3')", "Caused by: refused"),
    ],
)
def test_a_failure_is_told_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(TowerError) as failure:
        run("a program", python(text), root=tmp_path, limit_s=60)
    assert str(failure.value) == f"a program ended with 1: {said}"
