"""Sends frames: one raw socket an interface, kept open, since closing one takes long."""

import errno
import logging
import socket
from collections.abc import Iterable, Sequence
from itertools import groupby

from duravip_agent.core.observed import Link
from duravip_agent.rawsocket import BURST, Burst

log = logging.getLogger(__name__)

_PASSING = {errno.ENETDOWN, errno.ENXIO, errno.ENODEV, errno.ENOBUFS, errno.EAGAIN}
"""The link is down, gone or congested, or the fence mutes us. What was not sent is said again in
the next round."""

_SEND_BUFFER = 4 << 20


def may_send() -> bool:
    """Whether the process has the permission to open raw sockets (CAP_NET_RAW)."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return False
    return True


class Wire:
    """The raw sockets. For one thread."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._bursts: dict[int, Burst] = {}
        """By the size of a frame."""

    def send(self, link: Link, frames: Sequence[bytes]) -> int:
        """Send frames; gives back how many went out."""
        sent = 0
        try:
            sock = self._socket(link)
            while sent < len(frames):
                sent += self._burst(sock, frames[sent : sent + BURST])
        except OSError as error:
            if error.errno not in _PASSING:
                raise
            log.debug("cannot announce on %s: %s", link.name, error)
            if error.errno in {errno.ENXIO, errno.ENODEV}:
                self._close(link.index)
        return sent

    def _burst(self, sock: socket.socket, frames: Sequence[bytes]) -> int:
        """Send those of the first one's size that follow it; raises OSError when none goes out."""
        size, found = next(groupby(frames, len))
        alike = list(found)
        burst = self._bursts.get(size) or self._bursts.setdefault(size, Burst(size))
        done = burst.send(sock.fileno(), alike)
        if not done:
            sock.send(alike[0])  # which says why
        return done or 1

    def keep_only(self, links: Iterable[int]) -> None:
        """Close the sockets of links that are no more."""
        for index in self._sockets.keys() - set(links):
            self._close(index)

    def _socket(self, link: Link) -> socket.socket:
        sock = self._sockets.get(link.index)
        if sock is None:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.settimeout(0.0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            sock.bind((link.name, 0))
            self._sockets[link.index] = sock
        return sock

    def _close(self, index: int) -> None:
        sock = self._sockets.pop(index, None)
        if sock is not None:
            sock.close()
