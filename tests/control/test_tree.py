"""The tree as a whole: imports point one way, the checkers are content, and nothing names one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "schemas": set(),
    "pipeline": {"schemas"},
    "query": {"schemas"},
    "dashboard": {"schemas", "query"},
    "loadgen": {"schemas"},
    "control": {"schemas", "query", "pipeline", "dashboard", "loadgen"},
}
# Split, so that this file does not name them itself.
ONE_MACHINE = re.compile(
    "|".join(["pypi" + r"\.org", "maven" + r"\.apache", "npm" + r"js\.(com|org)", "deb" + r"ian\.org", r"(?<![\w.$}])/(work|root)/"])
)
TEXT = {".py", ".md", ".toml", ".txt", ".yml", ".json", ".sh", ".js", ".css", ".html", ".xml", ""}


def sources(part: str) -> Iterator[Path]:
    return (path for path in (ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_point_one_way(part: str) -> None:
    wrong = []
    for path in sources(part):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [one.name for one in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            packages = {name.partition(".")[0] for name in names}
            if forbidden := packages & (set(MAY_IMPORT) | {"tests", "benchmarks"}) - MAY_IMPORT[part] - {part}:
                wrong.append(f"{path.relative_to(ROOT)} imports {', '.join(forbidden)}")
    assert wrong == []


def test_nothing_names_one_machine_or_an_address_of_a_registry() -> None:
    folders = [*MAY_IMPORT, "tests", "docs", "infra", "benchmarks", ".ci"]
    files = [path for folder in folders if (ROOT / folder).exists() for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [path for path in ROOT.iterdir() if path.is_file() and path.name not in (".git", ".venv.lock")]
    wrong = []
    for path in files:
        if path.suffix in TEXT and "__pycache__" not in path.parts:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if ONE_MACHINE.search(line):
                    wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert wrong == []


@pytest.mark.parametrize("command", [["ruff", "check", "."], ["mypy"]])
def test_the_checkers_are_content(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
