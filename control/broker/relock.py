"""Rewrites `jars.lock.json` for a version of Kafka: `python -m control.broker.relock 4.3.1`.

Only a developer runs this. It resolves the class path from Maven Central with jgo and notes the SHA-256 of every jar.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec
from jgo.maven import MavenContext

from control.broker.jars import LOCK_FILE, Jar, JarLock, sha256_of

_SCALA = "2.13"
_LOGGING_GROUP, _LOGGING_API, _LOGGING_BINDING = "org.apache.logging.log4j", "log4j-api", "log4j-slf4j-impl"


def resolve(kafka_version: str, repository: Path) -> JarLock:
    """Return the lock of a version of Kafka; downloads all its jars into `repository`.

    Kafka logs through slf4j, and its POM names no binding to Log4j: the one of the same version is added, without its dependencies.
    """
    context = MavenContext(repo_cache=repository, timeout=60)
    kafka = context.create_dependency(f"org.apache.kafka:kafka_{_SCALA}:{kafka_version}")
    inputs, transitive = context.resolver.resolve([kafka])
    artifacts = [dependency.artifact for dependency in inputs + transitive]
    logging_version = next(artifact.version for artifact in artifacts if artifact.artifactId == _LOGGING_API)
    artifacts.append(context.project(_LOGGING_GROUP, _LOGGING_BINDING).at_version(logging_version).artifact())
    jars = []
    for artifact in sorted(artifacts, key=lambda one: (one.groupId, one.artifactId)):
        path = artifact.resolve()
        jars.append(Jar(artifact.groupId, artifact.artifactId, artifact.version, sha256_of(path), path.stat().st_size))
    return JarLock(kafka_version, jars)


def main(arguments: list[str]) -> int:
    """Write the lock for the version named."""
    if len(arguments) != 1:
        print("usage: python -m control.broker.relock KAFKA_VERSION", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        lock = resolve(arguments[0], Path(folder))
    LOCK_FILE.write_bytes(msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n")
    print(f"{LOCK_FILE.name}: Kafka {lock.kafka_version}, {len(lock.jars)} jars, {sum(jar.size for jar in lock.jars) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
