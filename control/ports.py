"""Ports of servers on this machine."""

from __future__ import annotations

import socket

from schemas.errors import ConfigurationError

_TRIES = 50
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}


def port_is_free(host: str, port: int) -> bool:
    """Say whether a server could listen there now; a host that is not this machine's has no free port."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind, protocol) as probe:
            # A port whose last connections only linger in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        return False
    return True


def choose_port(host: str, wanted: int, *, may_move: bool) -> int:
    """Return the wanted port, or with `may_move` the next one that is free.

    Raises ConfigurationError when it is taken and must not move.
    """
    if not 0 < wanted < 65_536:
        raise ConfigurationError(f"dashboard.port {wanted} is no port", "choose one from 1 to 65535")
    for port in range(wanted, min(wanted + _TRIES, 65_536) if may_move else wanted + 1):
        if port_is_free(host, port):
            return port
    raise ConfigurationError(f"port {wanted} on {host} is in use or may not be used", "choose another one with --port")


def local_address(host: str, port: int) -> str:
    """Return the address by which this machine reaches a server that listens on `host`, perhaps on all its addresses."""
    name = _EVERYWHERE.get(host) or (f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
