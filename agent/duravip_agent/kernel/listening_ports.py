"""Which sockets listen on the ports of services: read every few seconds.

A thread of its own reads them: the loop, which the watchdog depends on, must not wait for an
answer of the kernel that may be lost. One look takes a fraction of a millisecond, needs no
privilege, and reports only what differs from the last one.
"""

import logging
from collections.abc import Callable
from functools import partial
from threading import Event, Lock, Thread
from typing import Final

from duravip_agent.codec import sock_diag
from duravip_agent.kernel.netlink_socket import SOCK_DIAG, NetlinkSocket
from duravip_api.listeners import Listener, format_listeners

log = logging.getLogger(__name__)

INTERVAL_S: Final = 2.0
URGENT_INTERVAL_S: Final = 0.5
"""Where addresses move by who listens."""
TIMEOUT_S: Final = 2.0
"""The kernel answers at once; longer means that an answer was lost."""


class ListeningPorts:
    """Looks from a thread of its own; asked from the loop's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ports: tuple[str, ...] = ()
        self._found: list[str] = []
        self.is_urgent = False
        """Whether addresses move by who listens."""
        self._is_troubled = False
        self._is_started = False
        self._wanted = Event()

    def start(self, on_change: Callable[[], None]) -> None:
        """Begin to look; `on_change` is called when others listen than before."""
        self._is_started = True
        Thread(target=self._run, args=(on_change,), name="listening-ports", daemon=True).start()

    def on(self, ports: tuple[str, ...], *, is_urgent: bool = False) -> list[str]:
        """Who listens on these ports, as the status says it; of others nothing is known.

        Of ports that were not asked for before nothing is known until they were looked at.
        """
        self.is_urgent = is_urgent
        current = [] if self._is_started else self._looked(ports)
        with self._lock:
            if ports != self._ports:
                kept = [line for line in self._found if line.partition(" ")[0] in ports]
                self._ports, self._found = ports, current or kept
                self._wanted.set()
            return self._found

    def _run(self, on_change: Callable[[], None]) -> None:
        while True:
            self._wanted.wait(URGENT_INTERVAL_S if self.is_urgent else INTERVAL_S)
            self._wanted.clear()
            ports = self._ports
            current = self._looked(ports)  # without the lock
            with self._lock:
                before, is_news = self._found, ports == self._ports and current != self._found
                if is_news:
                    self._found = current
            if is_news:
                if self.is_urgent:
                    gone, new = sorted({*before} - {*current}), sorted({*current} - {*before})
                    log.info("sockets that listen now: %s; no more: %s", new, gone)
                on_change()

    def _looked(self, ports: tuple[str, ...]) -> list[str]:
        try:
            current = format_listeners(ports, _listeners(ports))
        except OSError as error:
            if not self._is_troubled:
                log.warning("cannot see who listens: %s", error)
            self._is_troubled = True
            return []
        self._is_troubled = False
        return current


def _listeners(ports: tuple[str, ...]) -> set[Listener]:
    """All that take what comes by these protocols; raises OSError."""
    listeners: set[Listener] = set()
    questions = sock_diag.queries(ports)
    if not questions:
        return listeners
    with NetlinkSocket(SOCK_DIAG, timeout=TIMEOUT_S) as kernel:
        for question in questions:
            for body in kernel.stream(partial(sock_diag.request, question)):
                listeners.update(sock_diag.listeners_in(question, body))
    return listeners
