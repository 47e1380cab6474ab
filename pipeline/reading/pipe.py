"""Messages through a pipe. Whoever takes them never waits for the rest of one: the sender may be stopped, or stuck, in the middle of it."""

from __future__ import annotations

import os
from multiprocessing.connection import Connection

_LENGTH_BYTES = 8
_MOST_AT_ONCE = 1 << 20
_REST_S = 0.05
"""A sender that is at work puts in the rest much sooner."""


def send(connection: Connection, message: bytes) -> None:
    """Put in a message; waits while there is no room. Raises BrokenPipeError when nobody is there to take it."""
    for part in (len(message).to_bytes(_LENGTH_BYTES, "big"), message):
        left = memoryview(part)
        while left:
            left = left[os.write(connection.fileno(), left) :]


class Inlet:
    """The end where messages come out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        os.set_blocking(connection.fileno(), False)
        self._length: int | None = None
        self._come = bytearray()

    def take(self) -> bytearray | None:
        """Return the next message, or None while it has not come as a whole. Raises EOFError when nobody is left who could send it."""
        while True:
            if self._length is None and len(self._come) == _LENGTH_BYTES:
                self._length = int.from_bytes(self._come, "big")
                self._come = bytearray()
            missing = (_LENGTH_BYTES if self._length is None else self._length) - len(self._come)
            if not missing:
                message, self._come, self._length = self._come, bytearray(), None
                return message
            try:
                part = os.read(self._connection.fileno(), min(missing, _MOST_AT_ONCE))
            except BlockingIOError:
                if not self._is_within() or not self._connection.poll(_REST_S):
                    return None
                continue
            if not part:
                raise EOFError
            self._come += part

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()

    def _is_within(self) -> bool:
        return bool(self._come) or self._length is not None
