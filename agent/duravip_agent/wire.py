"""Sends frames: one raw socket an interface, kept open, since closing one takes long."""

import errno
import logging
import socket
from collections.abc import Iterable

from duravip_agent.core.observed import Link

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

    def send(self, link: Link, frames: Iterable[bytes]) -> int:
        """Send frames; gives back how many went out."""
        sent = 0
        try:
            sock = self._socket(link)
            for frame in frames:
                sock.send(frame)
                sent += 1
        except OSError as error:
            if error.errno not in _PASSING:
                raise
            log.debug("cannot announce on %s: %s", link.name, error)
            if error.errno in {errno.ENXIO, errno.ENODEV}:
                self._close(link.index)
        return sent

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
