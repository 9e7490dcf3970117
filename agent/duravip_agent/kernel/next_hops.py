"""The next hops of the node's routes: read when a status is made, and seldom."""

import errno
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from duravip_agent.codec import rtnetlink_routes
from duravip_agent.kernel.netlink_socket import KernelRefusalError, NetlinkSocket

log = logging.getLogger(__name__)

INTERVAL_S: Final = 25.0
"""The agent looks at everything every 30 s; in between what was found last is good enough."""

MAX_READ_BYTES: Final = 1 << 16
"""Bytes of a table: some 1000 routes, the most general ones first. A router may have a million."""

TIMEOUT_S: Final = 1.0
"""The kernel answers at once."""

_NONE = {errno.ENOENT, errno.EOPNOTSUPP}
"""There is no such table, or the kernel has no such family or objects."""


def read() -> tuple[str, ...]:
    """What they are now. Raises OSError when the kernel does not say."""
    routes: dict[bytes, None] = {}
    for family in (rtnetlink_routes.INET, rtnetlink_routes.INET6):
        # The most important table first.
        for table in (rtnetlink_routes.MAIN_TABLE, rtnetlink_routes.ALL_TABLES):
            request = partial(rtnetlink_routes.routes_request, family, table)
            routes |= dict.fromkeys(_first_of(request))
    is_unresolved = rtnetlink_routes.has_unresolved(routes)
    objects = _first_of(rtnetlink_routes.objects_request) if is_unresolved else []
    return rtnetlink_routes.next_hops(routes, objects)


class NextHops:
    """For one thread."""

    def __init__(self, read: Callable[[], tuple[str, ...]] = read) -> None:
        self._read = read
        self._current: tuple[str, ...] = ()
        self._read_at = float("-inf")
        self._is_troubled = False

    def current(self, now: float) -> tuple[str, ...]:
        """The next hops, as they were read not long ago."""
        if now - self._read_at >= INTERVAL_S:
            self._read_at = now
            try:
                self._current = self._read()
                self._is_troubled = False
            except OSError as error:
                if not self._is_troubled:
                    log.warning("cannot read the node's routes: %s", error)
                self._is_troubled = True
        return self._current


def _first_of(request: Callable[[int], bytes]) -> list[bytes]:
    """The first objects of a list. The rest is left to the kernel, which forgets it."""
    bodies: list[bytes] = []
    size = 0
    with NetlinkSocket(timeout=TIMEOUT_S, is_strict=True) as kernel:
        try:
            for body in kernel.stream(request):
                bodies.append(body)
                size += len(body)
                if size >= MAX_READ_BYTES:
                    break
        except KernelRefusalError as error:
            if error.errno not in _NONE:
                raise
    return bodies
