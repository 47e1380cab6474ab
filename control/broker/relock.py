"""Rewrites `jars.lock.json` for a version of Kafka: `python -m control.broker.relock 4.3.1`.

Only a developer runs this. It resolves the class path from Maven Central with jgo and notes the SHA-256 of every jar.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec
from jgo.maven import Artifact, MavenContext

from control.broker.jars import LOCK_FILE, Jar, JarLock, sha256_of

_SCALA = "2.13"
_LOGGING_GROUP, _LOGGING_API, _LOGGING_BINDING = "org.apache.logging.log4j", "log4j-api", "log4j-slf4j-impl"


def resolve(kafka_version: str, repository: Path) -> JarLock:
    """Return the lock of a version of Kafka; downloads all its jars into `repository`.

    Kafka logs through slf4j, and its POM names no binding to Log4j: the one of the same version is added, without its dependencies.
    """
    context = MavenContext(repo_cache=repository, timeout=60)
    artifacts = class_path(context, [f"org.apache.kafka:kafka_{_SCALA}:{kafka_version}"])
    logging_version = next(artifact.version for artifact in artifacts if artifact.artifactId == _LOGGING_API)
    artifacts.append(context.project(_LOGGING_GROUP, _LOGGING_BINDING).at_version(logging_version).artifact())
    return JarLock(kafka_version, locked(artifacts))


def class_path(context: MavenContext, coordinates: list[str]) -> list[Artifact]:
    """Return the artifacts named as `group:artifact:version`, and all that they need to run."""
    inputs, transitive = context.resolver.resolve([context.create_dependency(each) for each in coordinates])
    return [dependency.artifact for dependency in inputs + transitive]


def locked(artifacts: list[Artifact]) -> list[Jar]:
    """Return the lock's entries of artifacts, which are downloaded for it."""
    jars = []
    for artifact in sorted(artifacts, key=lambda one: (one.groupId, one.artifactId)):
        path = artifact.resolve()
        jars.append(Jar(artifact.groupId, artifact.artifactId, artifact.version, sha256_of(path), path.stat().st_size))
    return jars


def write_lock(path: Path, lock: JarLock) -> None:
    """Write the lock's file, and say what is in it."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n")
    print(f"{path.name}: {lock.name} {lock.version}, {len(lock.jars)} jars, {sum(jar.size for jar in lock.jars) / 1e6:.1f} MB")


def main(arguments: list[str]) -> int:
    """Write the lock for the version named."""
    if len(arguments) != 1:
        print("usage: python -m control.broker.relock KAFKA_VERSION", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        lock = resolve(arguments[0], Path(folder))
    write_lock(LOCK_FILE, lock)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
