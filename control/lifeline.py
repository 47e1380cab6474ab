"""A part ends when its supervisor does, also when the supervisor is killed with -9.

The supervisor keeps the writing end of a pipe that nobody writes to; each part reads it in a thread. The pipe closes
with the supervisor, however it ends. On Linux the kernel sends the signal besides, so that not even a part whose
interpreter is stuck stays.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Mapping

from schemas.errors import ConfigurationError

VARIABLE = "TOWER_LIFELINE"
_PATIENCE_S = 8.0


def hold_lifeline(environment: Mapping[str, str]) -> None:
    """Bind this process to the supervisor that started it, when one did (`TOWER_LIFELINE` names the pipe's descriptor).

    When the supervisor is gone, this process gets a SIGTERM, and is ended 8 s later if it is still there.
    """
    descriptor = environment.get(VARIABLE)
    if descriptor is None:
        return
    try:
        lifeline = int(descriptor)
        os.set_inheritable(lifeline, False)
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"{VARIABLE} names no open pipe", "do not set it by hand") from error
    # Children of ours are ours to end.
    os.environ.pop(VARIABLE, None)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
    threading.Thread(target=_wait_for_the_end, args=(lifeline,), name="lifeline", daemon=True).start()


def _wait_for_the_end(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_PATIENCE_S)
    os._exit(1)
