"""Who listens on the ports that services are declared on: looked at every few seconds.

A look takes a fraction of a millisecond, needs no privilege, and says something only when it
finds something else than the last one.
"""

import logging
import socket
import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Final

from duravip_agent.core import messages, sockets
from duravip_api.listening import Listener, listed

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

    def start(self, on_change: Callable[[], None]) -> None:
        """Begin to look; `on_change` is called when others listen than before."""
        Thread(target=self._run, args=(on_change,), name="listeners", daemon=True).start()

    def on(self, ports: tuple[str, ...]) -> list[str]:
        """Who listens on these ports, as the status says it; of others nothing is known."""
        with self._lock:
            if ports != self._ports:
                self._ports, self._found = ports, self._looked(ports)
            return self._found

    def _run(self, on_change: Callable[[], None]) -> None:
        while True:
            time.sleep(EVERY)
            ports = self._ports
            found = self._looked(ports)  # without the lock: the loop never waits for it
            with self._lock:
                is_news = ports == self._ports and found != self._found
                if is_news:
                    self._found = found
            if is_news:
                on_change()

    def _looked(self, ports: tuple[str, ...]) -> list[str]:
        try:
            found = listed(ports, _listeners(ports))
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
    asked = sockets.questions(ports)
    if not asked:
        return found
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as sock:
        sock.settimeout(TIMEOUT)
        for seq, question in enumerate(asked, 1):
            sock.send(sockets.request(question, seq))
            for body in _answers(sock):
                found.update(sockets.listeners_in(question, body))
    return found


def _answers(sock: socket.socket) -> list[bytes]:
    bodies: list[bytes] = []
    while True:
        for message in messages.split(sock.recv(_DATAGRAM)):
            if message.kind == messages.ERROR:
                raise OSError(messages.errno_of(message.body), "the kernel lists no sockets")
            if message.kind == messages.DONE:
                return bodies
            bodies.append(message.body)
