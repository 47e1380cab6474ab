"""What the documents show is what the code takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from control.cli import build_parser
from control.config import load_config
from schemas.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_configuration_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "tower.toml").write_text(example)
    config = load_config(root=tmp_path, environment={})
    assert config.kafka.bootstrap_servers == "broker-1:9092,broker-2:9092"
    assert config.kafka.options["sasl.username"] == "tower"
    assert config.pipeline.models["churn"].positive_class == "1"


def test_every_command_in_the_documents_is_understood() -> None:
    wrong = []
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if not document.exists():
            continue
        for line in re.findall(r"^(?: {4}|\$ )\./tower (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE):
            arguments = shlex.split(line, comments=True)
            if arguments and arguments[0] != "test":
                try:
                    build_parser().parse_args(arguments)
                except (ConfigurationError, SystemExit) as error:
                    wrong.append(f"{document.name}: ./tower {line}: {error}")
    assert wrong == []
