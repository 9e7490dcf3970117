"""Resolves the replicas' HOST:PORT into socket addresses, in a thread beside the heartbeats."""

import logging
import socket
from threading import Event, Thread
from typing import Any

from duravip_runtime.endpoints import Endpoint, parse_endpoint

log = logging.getLogger(__name__)

LOOK_UP_EVERY_S = 30.0
"""Names are looked up again this often, since a replica may have moved."""

SocketAddress = tuple[socket.AddressFamily, Any]
"""A family, and an address of that family as sockets take it."""


class Resolver:
    """Remembers what names stand for; a name that is not known yet is left out."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[SocketAddress, ...]] = {}
        self._asked: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        """Those of the asked ones that have to be looked up."""
        self._changed = Event()

    def start(self) -> None:
        """Begin to look names up."""
        Thread(target=self._run, name="resolver", daemon=True).start()

    def resolved(self, targets: tuple[str, ...]) -> list[tuple[str, SocketAddress]]:
        """These, each with a socket address that is known of it; never waits."""
        if targets != self._asked:
            numeric = {target: _numeric(target) for target in targets}
            self._asked = targets
            self._known = {target: where for target, where in numeric.items() if where}
            self._names = tuple(target for target, where in numeric.items() if where is None)
            self._changed.set()
        current = self._known
        return [(target, where) for target in targets for where in current.get(target, ())]

    def _run(self) -> None:
        while True:
            self._changed.wait(LOOK_UP_EVERY_S if self._names else None)
            self._changed.clear()
            names = self._names
            addresses = {name: where for name in names if (where := _looked_up(name))}
            if names == self._names:
                self._known = {**self._known, **addresses}


def _numeric(target: str) -> tuple[SocketAddress, ...] | None:
    """Without a look-up; None when there has to be one, empty when it is no target at all."""
    try:
        where = parse_endpoint(target)
    except ValueError as error:
        log.warning("cannot beat to %r: %s", target, error)
        return ()
    if not where.port:
        log.warning("cannot beat to %r: nobody can send to port 0", target)
        return ()
    return _addresses(where, socket.AI_NUMERICHOST) if where.is_numeric else None


def _looked_up(target: str) -> tuple[SocketAddress, ...]:
    where = parse_endpoint(target)
    try:
        return _addresses(where)
    except OSError as error:
        log.warning("cannot look up %s, where beats shall go: %s", where.host, error)
        return ()


def _addresses(where: Endpoint, flags: int = 0) -> tuple[SocketAddress, ...]:
    results = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM, flags=flags)
    return tuple((family, where) for family, _, _, _, where in results)
