"""The seeds that were asked for, and the account of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.report import Account


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        first, _, last = str(metafunc.config.getoption("--chaos-seeds")).partition("-")
        metafunc.parametrize("seed", range(int(first), int(last or first) + 1))


@pytest.fixture
def account(seed: int, request: pytest.FixtureRequest) -> Iterator[Account]:
    """The account of this seed, which is told at the end."""
    account = Account(seed)
    yield account
    request.node.user_properties.append(account.property())
