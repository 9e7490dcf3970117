"""The next hops of the node's routes: looked at when a status is made, and seldom."""

import errno
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Final

from duravip_agent.codec import rtnetlink, rtnetlink_routes
from duravip_agent.kernel.netlink_socket import opened

log = logging.getLogger(__name__)

EVERY: Final = 25.0
"""The agent looks at everything every 30 s; in between what was found last is good enough."""

MOST_READ: Final = 1 << 16
"""Bytes of a table: some 1000 routes, the most general ones first. A router may have a million."""

TIMEOUT: Final = 1.0
"""The kernel answers at once."""

_SOL_NETLINK, _STRICT = 270, 12
_NONE = {errno.ENOENT, errno.EOPNOTSUPP}
"""There is no such table, or the kernel has no such family or objects."""


def read() -> tuple[str, ...]:
    """What they are now. Raises OSError when the kernel does not say."""
    found: dict[bytes, None] = {}
    for family in (rtnetlink_routes.INET, rtnetlink_routes.INET6):
        for table in (
            rtnetlink_routes.MAIN_TABLE,
            rtnetlink_routes.ALL_TABLES,
        ):  # the most important one first
            found |= dict.fromkeys(_dump(rtnetlink_routes.routes_request(family, table, seq=1)))
    objects = (
        _dump(rtnetlink_routes.objects_request(seq=1))
        if rtnetlink_routes.has_unresolved(found)
        else []
    )
    return rtnetlink_routes.next_hops(found, objects)


class NextHops:
    """For one thread."""

    def __init__(self, read: Callable[[], tuple[str, ...]] = read) -> None:
        self._read = read
        self._found: tuple[str, ...] = ()
        self._looked = float("-inf")
        self._is_troubled = False

    def found(self, now: float) -> tuple[str, ...]:
        """What they are, by a look that is not long ago."""
        if now - self._looked >= EVERY:
            self._looked = now
            try:
                self._found = self._read()
                self._is_troubled = False
            except OSError as error:
                if not self._is_troubled:
                    log.warning("cannot read the node's routes: %s", error)
                self._is_troubled = True
        return self._found


def _dump(request: bytes) -> list[bytes]:
    """The first objects of a list. The rest is left to the kernel, which forgets it."""
    with opened() as sock:
        sock.settimeout(TIMEOUT)
        sock.setsockopt(_SOL_NETLINK, _STRICT, 1)
        sock.send(request)
        return list(_bodies(sock))


def _bodies(sock: socket.socket) -> Iterator[bytes]:
    size = 0
    while size < MOST_READ:
        datagram = sock.recv(MOST_READ)
        size += len(datagram)
        for message in rtnetlink.split(datagram):
            if message.kind == rtnetlink.DONE:
                return
            if message.kind == rtnetlink.ERROR:
                number = rtnetlink.errno_of(message.body)
                if number in _NONE:
                    return
                raise OSError(number, "the kernel gives no list of routes")
            yield message.body
