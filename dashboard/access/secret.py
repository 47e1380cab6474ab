"""The key of a home that logins and sessions are signed with: made once, for the dashboard's own eyes."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from schemas.errors import ConfigurationError, TowerError

_BYTES = 32


def secret_file(home: Path) -> Path:
    """Return where it is kept."""
    return home / "dashboard" / "secret"


def read_or_make_secret(home: Path) -> bytes:
    """Return the home's secret. Two that make it at once get the same.

    Raises ConfigurationError when others than its owner may read it, TowerError when it cannot be made.
    """
    file = secret_file(home)
    try:
        if not file.exists():
            _make(file)
        if file.stat().st_mode & 0o077:
            raise ConfigurationError(f"{file} can be read by others, who could sign logins with it", f"remove it, or chmod 600 {file}")
        secret = file.read_bytes()
    except OSError as error:
        raise TowerError(f"{file}: {error.strerror}", "make the home writable for the dashboard, which signs logins with it") from error
    if len(secret) < _BYTES:
        raise ConfigurationError(f"{file} is too short to be the dashboard's", "remove it; those who are signed in sign in again")
    return secret


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"secret.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as written:
            written.write(secrets.token_bytes(_BYTES))
        # Unlike a rename it fails if another one was quicker, whose secret is then the one.
        file.hardlink_to(beside)
    except FileExistsError:
        pass
    finally:
        beside.unlink()


def derived(secret: bytes, purpose: str) -> str:
    """Return the key for one purpose."""
    return hmac.new(secret, purpose.encode(), hashlib.sha256).hexdigest()
