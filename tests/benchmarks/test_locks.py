"""The locks of what is downloaded for the comparison."""

from __future__ import annotations

import re

import pytest

from benchmarks.throughput.candidates.flink import PROGRAM as FLINK
from benchmarks.throughput.candidates.java import COMPILER, SOURCES, JavaProgram
from benchmarks.throughput.candidates.kafka_streams import PROGRAM as KAFKA_STREAMS
from benchmarks.throughput.candidates.quix import LOCK_FILE
from control.broker.jars import read_lock


@pytest.mark.parametrize("program", [KAFKA_STREAMS, FLINK], ids=lambda program: program.name)
def test_a_lock_has_all_that_its_program_needs(program: JavaProgram) -> None:
    lock = read_lock(program.lock_file)
    assert (lock.name, lock.version) == (program.name, program.version)
    locked = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in lock.jars}
    assert {*program.needs, COMPILER} <= locked
    assert len({jar.artifact for jar in lock.jars}) == len(lock.jars)
    assert all((SOURCES / f"{source}.java").is_file() for source in program.sources)


def test_the_python_lock_has_a_hash_for_each_package_and_names_no_host() -> None:
    text = LOCK_FILE.read_text(encoding="utf-8")
    requirements = re.findall(r"^(\S+)==", text, re.MULTILINE)
    assert "quixstreams" in requirements
    assert len(re.findall(r"^\S+==[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)) == len(requirements)
    assert "://" not in text
