"""Who listens on the ports that services are declared on: looked at every few seconds.

The loop never waits for a look: it feeds the dead-man, and an answer of the kernel may be lost.
A look takes a fraction of a millisecond, needs no privilege, and says something only when it
finds something else than the last one.
"""

import logging
import socket
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Final

from duravip_agent.codec import rtnetlink, sock_diag
from duravip_api.listeners import Listener, format_listeners

log = logging.getLogger(__name__)

EVERY: Final = 2.0
TIMEOUT: Final = 2.0
"""The kernel answers at once; longer means that an answer was lost."""

_NETLINK_SOCK_DIAG = 4
_DATAGRAM = 1 << 16


class Listeners:
    """Looks from a thread of its own; asked from the loop's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ports: tuple[str, ...] = ()
        self._found: list[str] = []
        self._is_troubled = False
        self._is_started = False
        self._wanted = Event()

    def start(self, on_change: Callable[[], None]) -> None:
        """Begin to look; `on_change` is called when others listen than before."""
        self._is_started = True
        Thread(target=self._run, args=(on_change,), name="listeners", daemon=True).start()

    def on(self, ports: tuple[str, ...]) -> list[str]:
        """Who listens on these ports, as the status says it; of others nothing is known.

        Of ports that were not asked for before nothing is known until they were looked at.
        """
        found = [] if self._is_started else self._looked(ports)
        with self._lock:
            if ports != self._ports:
                kept = [line for line in self._found if line.partition(" ")[0] in ports]
                self._ports, self._found = ports, found or kept
                self._wanted.set()
            return self._found

    def _run(self, on_change: Callable[[], None]) -> None:
        while True:
            self._wanted.wait(EVERY)
            self._wanted.clear()
            ports = self._ports
            found = self._looked(ports)  # without the lock
            with self._lock:
                is_news = ports == self._ports and found != self._found
                if is_news:
                    self._found = found
            if is_news:
                on_change()

    def _looked(self, ports: tuple[str, ...]) -> list[str]:
        try:
            found = format_listeners(ports, _listeners(ports))
        except OSError as error:
            if not self._is_troubled:
                log.warning("cannot see who listens: %s", error)
            self._is_troubled = True
            return []
        self._is_troubled = False
        return found


def _listeners(ports: tuple[str, ...]) -> set[Listener]:
    """All that take what comes by these protocols; raises OSError."""
    found: set[Listener] = set()
    asked = sock_diag.questions(ports)
    if not asked:
        return found
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as sock:
        sock.settimeout(TIMEOUT)
        for seq, question in enumerate(asked, 1):
            sock.send(sock_diag.request(question, seq))
            for body in _answers(sock):
                found.update(sock_diag.listeners_in(question, body))
    return found


def _answers(sock: socket.socket) -> list[bytes]:
    bodies: list[bytes] = []
    while True:
        for message in rtnetlink.split(sock.recv(_DATAGRAM)):
            if message.kind == rtnetlink.ERROR:
                raise OSError(rtnetlink.errno_of(message.body), "the kernel lists no sockets")
            if message.kind == rtnetlink.DONE:
                return bodies
            bodies.append(message.body)
