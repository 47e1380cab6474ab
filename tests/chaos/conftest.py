"""The seeds that were asked for, and what came of each, told at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest


@dataclass(slots=True)
class Account:
    """What was done in the run of one seed."""

    seed: int
    actions: list[str] = field(default_factory=list)
    restarts: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    differing: int | None = None


ACCOUNTS: list[Account] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        first, _, last = str(metafunc.config.getoption("--chaos-seeds")).partition("-")
        metafunc.parametrize("seed", range(int(first), int(last or first) + 1))


@pytest.fixture
def account(seed: int) -> Account:
    """The account of this seed, which is told at the end."""
    ACCOUNTS.append(Account(seed))
    return ACCOUNTS[-1]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not ACCOUNTS:
        return
    terminalreporter.section("chaos")
    for account in ACCOUNTS:
        ended = "not compared" if account.differing is None else f"{account.rows:,} rows, {account.differing} differences"
        restarts = ", ".join(f"{count} {why}" for why, count in sorted(account.restarts.items())) or "none"
        terminalreporter.write_line(f"seed {account.seed}: {len(account.actions)} actions; restarts: {restarts}; {ended}")
        for action in account.actions:
            terminalreporter.write_line(f"    {action}")
