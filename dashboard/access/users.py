"""The users of `login = "password"`: a file in the home, changed by `./tower users`, with a scrypt hash of each password."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import msgspec

from schemas.errors import TowerError
from schemas.files import replace_file

_COST, _BLOCK, _LANES, _SALT, _LENGTH = 1 << 15, 8, 1, 16, 32
_MEMORY = 64 * 1024 * 1024


class UserEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user as kept: salt and hash in hex."""

    salt: str
    hash: str
    operator: bool = False


_Users = dict[str, UserEntry]
_NOBODY = UserEntry("00" * _SALT, "00" * _LENGTH)
"""Compared with when there is no such user, so that the time does not tell."""


def users_file(home: Path) -> Path:
    """Return where they are kept."""
    return home / "dashboard" / "users.json"


class Users:
    """The users of a home; a change by another process is seen at once."""

    def __init__(self, home: Path) -> None:
        self._file = users_file(home)
        self._seen: tuple[int, int] | None = None
        self._known: _Users = {}

    def all(self) -> _Users:
        """Return them by name. Raises TowerError when the file is damaged."""
        try:
            stat = self._file.stat()
            if self._seen != (stat.st_mtime_ns, stat.st_ino):
                self._known = msgspec.json.decode(self._file.read_bytes(), type=_Users)
                self._seen = stat.st_mtime_ns, stat.st_ino
        except FileNotFoundError:
            self._known, self._seen = {}, None
        except (OSError, msgspec.DecodeError) as error:
            raise TowerError(f"{self._file} cannot be read: {error}", "mend or remove it, then add the users again") from error
        return self._known

    def set(self, name: str, password: str, *, operator: bool) -> None:
        """Add a user, or change one."""
        salt = secrets.token_bytes(_SALT)
        self._write({**self.all(), name: UserEntry(salt.hex(), _hash(password, salt).hex(), operator)})

    def remove(self, name: str) -> None:
        """Remove a user. Raises TowerError if there is none of that name."""
        known = dict(self.all())
        if known.pop(name, None) is None:
            raise TowerError(f"there is no user {name!r}", "see ./tower users list")
        self._write(known)

    def matches(self, name: str, password: str) -> bool:
        """Say whether that is the user's password; takes some 60 ms and 32 MB."""
        entry = self.all().get(name)
        given = _hash(password, bytes.fromhex((entry or _NOBODY).salt))
        return hmac.compare_digest(given.hex(), (entry or _NOBODY).hash) and entry is not None

    def _write(self, users: _Users) -> None:
        before = os.umask(0o077)
        try:
            replace_file(self._file, msgspec.json.format(msgspec.json.encode(users)), lasting=True)
        finally:
            os.umask(before)


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY, dklen=_LENGTH)
