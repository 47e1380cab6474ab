"""What the generator's tests share: trained models, and the demo as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.models import SERVICES, Trained, train_cached
from loadgen.scenario import Scenario
from loadgen.scenario_files import load_scenario


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the trained models of this session."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def trained(cache: Path) -> dict[str, Trained]:
    """The trained models of all services."""
    return {name: train_cached(service, cache) for name, service in SERVICES.items()}


@pytest.fixture(scope="session")
def demo() -> Scenario:
    """The scenario of the demo."""
    return load_scenario("demo")
