"""Rewrites the locks of the Java programs' jars: `python -m benchmarks.throughput.relock`. Only a developer runs this."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from jgo.maven import Artifact, MavenContext

from benchmarks.throughput.candidates.flink import PROGRAM as FLINK
from benchmarks.throughput.candidates.java import COMPILER, JavaProgram
from benchmarks.throughput.candidates.kafka_streams import PROGRAM as KAFKA_STREAMS
from control.broker.jars import JarLock
from control.broker.relock import class_path, locked, write_lock


def resolve(program: JavaProgram, repository: Path) -> JarLock:
    """Return the lock of a program, with the compiler; downloads all its jars into `repository`.

    Each need is resolved by itself, and the first version of an artifact stays: together, the versions that one need manages would be
    forced upon the others.
    """
    context = MavenContext(repo_cache=repository, timeout=60)
    artifacts: dict[str, Artifact] = {}
    for need in (*program.needs, COMPILER):
        for artifact in class_path(context, [need]):
            artifacts.setdefault(artifact.artifactId, artifact)
    return JarLock(program.version, locked(list(artifacts.values())), program.name)


def main() -> int:
    """Write the locks of all programs."""
    for program in (KAFKA_STREAMS, FLINK):
        with tempfile.TemporaryDirectory() as folder:
            write_lock(program.lock_file, resolve(program, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
