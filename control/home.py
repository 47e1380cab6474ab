"""The home: the folder of everything that is written."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from schemas.errors import ConfigurationError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def refuse_unless_writable(home: Path) -> None:
    """Raise ConfigurationError unless files can be made in the home, or where it is to be made. Leaves nothing behind.

    A full disk is no reason: it may have room again before anything is written.
    """
    folder = home
    while not os.path.lexists(folder) and folder.parent != folder:
        folder = folder.parent
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".tower-"):
            pass
    except OSError as error:
        if error.errno in _FULL:
            return
        reason = f"{folder} is not a folder" if error.errno == errno.ENOTDIR else error.strerror
        raise ConfigurationError(f"home {home} cannot be written: {reason}", "set TOWER_HOME to another folder") from error
