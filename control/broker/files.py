"""Where the embedded broker of a home keeps its files, and the state that its keeper writes for the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from schemas.files import replace_file

Status = Literal["starting", "listening", "stopping", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """The paths of one home's broker."""

    home: Path

    @property
    def folder(self) -> Path:
        """Kafka's working folder; its log is `data` in it."""
        return self.home / "broker"

    @property
    def data(self) -> Path:
        """The log of Kafka, once it is formatted."""
        return self.folder / "data"

    @property
    def users(self) -> Path:
        """Locked in shared mode by every process that uses the broker; exclusively by a keeper that ends it."""
        return self.home / "run" / "broker-users.lock"

    @property
    def keeper(self) -> Path:
        """Locked exclusively by the keeper for all its life: so there are never two on one folder."""
        return self.home / "run" / "broker-keeper.lock"

    @property
    def starter(self) -> Path:
        """Locked by the command that starts the keeper; the others wait for it."""
        return self.home / "run" / "broker-starter.lock"

    @property
    def state(self) -> Path:
        """What the keeper says of itself, as JSON."""
        return self.home / "run" / "broker.json"

    @property
    def logs(self) -> Path:
        """The folder of Kafka's own log and the keeper's."""
        return self.home / "logs"


class BrokerState(msgspec.Struct, frozen=True):
    """What the keeper last did. `jvm_created` is the process's start in seconds since the epoch: a pid alone may be another's by now."""

    status: Status
    keeper_pid: int
    port: int = 0
    controller_port: int = 0
    jvm_pid: int = 0
    jvm_created: float = 0.0
    restarts: int = 0
    error: str = ""


def read_state(path: Path) -> BrokerState | None:
    """Return the state, or None when there is none or it is not readable as one. Raises OSError when the disk fails."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=BrokerState)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def write_state(path: Path, state: BrokerState) -> None:
    """Replace the state in one step: a reader sees the old or the new one. Raises OSError, and leaves the old one then."""
    replace_file(path, msgspec.json.encode(state))
