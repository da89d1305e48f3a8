"""Free ports on loopback, below the range that outgoing connections take theirs from.

A port looks free until its holder listens; in between, a ``PortBook`` keeps every other engine of
the same user off it. Else two models that start at once get one port, the loser's probe is
answered by the winner, and Envoy ends when its turn to listen comes too late.
"""

import fcntl
import os
import socket
from collections.abc import Collection, Iterable
from pathlib import Path
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


class PortBook:
    """The ports of one kind that an engine has promised: a locked file each, gone with the engine.

    ``folder`` is the same for all engines of a user.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._locks: dict[int, int] = {}

    def claim(self, port: int) -> bool:
        """Have this engine alone use the port; False when another engine has it."""
        if port in self._locks:
            return True
        lock = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._locks[port] = lock
        return True

    def choose(self, candidates: Iterable[int], *, taken: Collection[int]) -> int | None:
        """Claim the first port that is free; ``taken``: all that this engine uses, no others of
        its claims are kept."""
        for port in self._locks.keys() - set(taken):
            os.close(self._locks.pop(port))
        for port in candidates:
            if port in taken or not self.claim(port):
                continue
            if is_free(port):
                return port
            os.close(self._locks.pop(port))
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
