"""The seeds that were asked for, and the account of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.report import Account


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        given = str(metafunc.config.getoption("--chaos-seeds"))
        first, _, last = given.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise pytest.UsageError(f"--chaos-seeds {given}: give one seed, or the first and the last as in 3-7")
        metafunc.parametrize("seed", range(int(first), int(last or first) + 1))


@pytest.fixture
def account(seed: int, request: pytest.FixtureRequest) -> Iterator[Account]:
    """The account of this seed, which is told at the end."""
    account = Account(seed)
    yield account
    request.node.user_properties.append(account.property())
