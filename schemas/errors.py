"""The errors that a user of Control Tower can meet.

TowerError                  something failed; exit code 1
├── ConfigurationError      wrong usage or configuration; exit code 2
├── BrokerUnavailable       Kafka cannot be reached, or refuses
├── HomeInUse               another process owns this TOWER_HOME
└── LogTruncated            Kafka has dropped events that were not yet read

Each carries one line that says what is wrong and where, and a `mend`: what to do about it.
"""

from __future__ import annotations


class TowerError(Exception):
    """Base of all errors that are shown to a user as one line.

    `what` says what is wrong and where; `mend` says what to do, and may be empty.
    """

    exit_code = 1

    def __init__(self, what: str, mend: str = "") -> None:
        super().__init__(what, mend)  # what an exception is pickled as
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        """Return what is wrong, and what to do about it."""
        return f"{self.what} - {self.mend}" if self.mend else self.what


class ConfigurationError(TowerError):
    """A flag, a configuration key or a value is wrong."""

    exit_code = 2


class BrokerUnavailable(TowerError):
    """Kafka cannot be reached, or refuses the request."""


class HomeInUse(TowerError):
    """Another process owns the folder that this one needs."""


class LogTruncated(TowerError):
    """The topic's retention has overtaken the committed offset: events were lost before they were read."""
