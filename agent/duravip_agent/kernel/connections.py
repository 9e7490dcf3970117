"""Ends the connections of addresses that this node has released, in a thread of its own.

Their conntrack entries are deleted, in all forms in which an address can be part of one, and the
node's own sockets with a peer are destroyed: their programs learn at once what they would
otherwise learn after minutes. Listening sockets stay: the address may come back. All of it comes
after the silence and the report, and nothing depends on it; what is sent meanwhile is dropped by
the fence and by the rules of `released_addresses`.
"""

import errno
import logging
import os
import time
from collections.abc import Callable, Collection
from functools import partial
from threading import Condition, Thread

from duravip_agent.codec import conntrack, sock_diag
from duravip_agent.kernel.netlink_socket import NETFILTER, SOCK_DIAG, NetlinkSocket
from duravip_agent.metrics import Metrics
from duravip_api.addresses import to_bytes

log = logging.getLogger(__name__)

GATHER_S = 0.02
"""What is released by the thousand comes in pieces; both lists are read once for many of them."""

BATCH = 64
"""Requests in one system call."""

_TIMEOUT_S = 2.0
"""The kernel answers at once; longer means that an answer was lost."""


class ConnectionEnder:
    """Takes orders from the loop's thread, which never waits for it."""

    def __init__(self, metrics: Metrics, held: Callable[[], frozenset[str]]) -> None:
        """`held` gives the active addresses: what is back already is left alone."""
        self._metrics, self._held = metrics, held
        self._changed = Condition()
        self._waiting: set[str] = set()
        self._is_busy = False
        self._problems: dict[str, str] = {}

    def start(self) -> None:
        """Begin to work."""
        Thread(target=self._run, name="connections", daemon=True).start()

    def end(self, addresses: Collection[str]) -> None:
        """End what belongs to these, soon."""
        with self._changed:
            self._waiting.update(addresses)
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all is done, at most this many seconds; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._is_busy), seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                self._is_busy = True
            time.sleep(GATHER_S)
            with self._changed:
                addresses, self._waiting = self._waiting, set()
            self._end_now(addresses - self._held())
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _end_now(self, addresses: Collection[str]) -> None:
        keys = frozenset(map(to_bytes, addresses))
        if not keys:
            return
        for what, act in (("sockets", _destroy_sockets), ("conntrack", _forget_connections)):
            try:
                count = act(keys)
            except OSError as error:
                self._note(what, error.strerror or str(error))
                continue
            self._problems.pop(what, None)
            self._metrics.ended.labels(what).inc(count)
            if count:
                log.info("ended %d connections of released addresses (%s)", count, what)

    def _note(self, what: str, problem: str) -> None:
        """Say it once: a kernel that lacks it will lack it the next time."""
        self._metrics.not_ended.labels(what).inc()
        if self._problems.get(what) != problem:
            log.warning("cannot end connections of released addresses (%s): %s", what, problem)
        self._problems[what] = problem


def _destroy_sockets(addresses: frozenset[bytes]) -> int:
    """Destroy the node's own sockets that have one of these; gives back how many there were."""
    named, count = sock_diag.source_forms(addresses), 0
    with NetlinkSocket(SOCK_DIAG, timeout=_TIMEOUT_S) as kernel:
        for family, protocol in sock_diag.CONNECTED:
            answers = kernel.stream(partial(sock_diag.connected_request, family, protocol))
            matching = [body for body in answers if sock_diag.has_source(body, named)]
            count += _end_each(kernel, partial(sock_diag.destroy_request, protocol), matching)
    return count


def _forget_connections(addresses: frozenset[bytes]) -> int:
    """Delete the entries that concern one of these; gives back how many there were."""
    count = 0
    with NetlinkSocket(NETFILTER, timeout=_TIMEOUT_S) as kernel:
        for version, family in conntrack.FAMILIES.items():
            if not any(len(address) == (4 if version == 4 else 16) for address in addresses):  # noqa: PLR2004
                continue
            answers = kernel.stream(partial(conntrack.dump_request, family))
            matching = [body for body in answers if conntrack.involves(body, addresses)]
            count += _end_each(kernel, conntrack.delete_request, matching)
    return count


def _end_each(
    kernel: NetlinkSocket, request: Callable[[bytes, int], bytes], bodies: list[bytes]
) -> int:
    """Send one request for each; gives back how many were done.

    One for something that is gone by now counts as well; raises OSError where none was done.
    """
    answers = kernel.change(bodies, lambda body, seq, _: request(body, seq), BATCH)
    refused = [number for number in answers.values() if number != errno.ENOENT]
    if refused and len(refused) == len(bodies):
        raise OSError(refused[-1], os.strerror(refused[-1]))
    return len(bodies) - len(refused)
