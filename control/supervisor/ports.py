"""The port of a server that people open in a browser."""

from __future__ import annotations

import socket

from schemas.errors import ConfigurationError

_TRIES = 50


def port_is_free(host: str, port: int) -> bool:
    """Say whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(host: str, wanted: int, *, may_move: bool) -> int:
    """Return the wanted port, or with `may_move` the next one that is free.

    Raises ConfigurationError when it is taken and must not move.
    """
    if not 0 < wanted < 65_536:
        raise ConfigurationError(f"{wanted} is no port", "choose one from 1024 to 65535")
    for port in range(wanted, min(wanted + _TRIES, 65_536) if may_move else wanted + 1):
        if port_is_free(host, port):
            return port
    raise ConfigurationError(f"port {wanted} on {host} is in use or may not be used", "choose another one with --port")
