"""A plugin of pytest: the options of the chaos tests, and what was done in the run of each seed, told at the end.

The accounts travel with the reports of the tests: where several processes share the tests, another one tells them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

_PROPERTY = "chaos"


@dataclass(slots=True)
class Account:
    """What was done in the run of one seed."""

    seed: int
    actions: list[str] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    differing: int | None = None

    def property(self) -> tuple[str, object]:
        """Return it as a property of a test's report."""
        return _PROPERTY, msgspec.to_builtins(self)


class Accounts:
    """Collects the accounts of a run, and tells them."""

    def __init__(self) -> None:
        self._accounts: list[Account] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self._accounts += [msgspec.convert(value, Account) for name, value in report.user_properties if name == _PROPERTY]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._accounts:
            return
        terminalreporter.section("chaos")
        for account in self._accounts:
            ended = "not compared" if account.differing is None else f"{account.rows:,} rows, {account.differing} differences"
            restarts = ", ".join(f"{count} {why}" for why, count in sorted(account.restarts.items())) or "none"
            terminalreporter.write_line(f"seed {account.seed}: {len(account.actions)} actions; restarts: {restarts}; {ended}")
            for action in account.actions:
                terminalreporter.write_line(f"    {action}")
        terminalreporter.write_line(
            f"{len(self._accounts)} seeds, {sum(len(account.actions) for account in self._accounts)} actions, "
            f"{sum(sum(account.restarts.values()) for account in self._accounts)} restarts, "
            f"{sum(account.differing or 0 for account in self._accounts)} differences"
        )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Accounts())


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--chaos-seeds", default="1-2", metavar="N[-M]", help="the seeds to run, one or N to M (default: %(default)s)")
    group.addoption("--chaos-actions", default=12, type=int, metavar="N", help="how much happens in each run (default: %(default)s)")
    group.addoption("--chaos-still", default="0.3-2", metavar="S[-S]", help="how long a SIGSTOP is, in seconds (default: %(default)s)")
    group.addoption("--fuzz-inputs", default=10_000, type=int, metavar="N", help="hostile messages to read (default: %(default)s)")
    group.addoption("--flood-events", default=6_000, type=int, metavar="N", help="messages with ever new names (default: %(default)s)")
