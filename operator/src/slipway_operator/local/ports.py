"""Free ports on loopback, below the range that outgoing connections take theirs from."""

import socket
from collections.abc import Collection, Iterable
from typing import Final

import psutil

LOOPBACK: Final = "127.0.0.1"
POD_PORTS: Final = range(20000, 30000)


def is_free(port: int) -> bool:
    """Whether nobody listens on that loopback port (nor on it on all addresses)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def find_free_port(candidates: Iterable[int], *, taken: Collection[int]) -> int | None:
    """The first port that is free and not promised to somebody already."""
    for port in candidates:
        if port not in taken and is_free(port):
            return port
    return None


def describe_holder(port: int) -> str:
    """Who listens on a port, in words: ``python (pid 123)``, or ``another user's process``."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another user's process"
