"""Sends replies from the address that the datagram was sent to (IP_PKTINFO).

The sockets of agents are connected: their kernels drop whatever comes from another address than
the one that they send their heartbeats to. A host with several addresses, which listens on all of
them, would otherwise answer from the one that its routes prefer (ip(7), ipv6(7)).
"""

import socket
import struct
from typing import Any, Final, NamedTuple

from duravip_api.heartbeat import MAX_BYTES

_IP_PKTINFO: Final = 8
"""<linux/in.h>; the socket module has no name for it before Python 3.12."""
_IN_PKTINFO: Final = struct.Struct("=i4s4s")
_IN6_PKTINFO: Final = struct.Struct("=16si")
_ANCILLARY_BYTES: Final = 128

Ancillary = list[tuple[int, int, bytes]]


class Route(NamedTuple):
    """How to answer whoever has sent a datagram."""

    where: tuple[Any, ...]
    ancillary: Ancillary


def enable_packet_info(udp: socket.socket) -> None:
    """Let the kernel tell of each datagram which of our addresses it was sent to."""
    if udp.family == socket.AF_INET6:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def receive(udp: socket.socket) -> tuple[bytes, Route]:
    """The next datagram, and the way back; raises OSError. What is too long is cut."""
    data, ancillary, _, sender = udp.recvmsg(MAX_BYTES + 1, _ANCILLARY_BYTES)
    return data, Route(sender, [a for item in ancillary if (a := _source(*item))])


def send(udp: socket.socket, data: bytes, route: Route) -> None:
    """Send a datagram that way; raises OSError."""
    udp.sendmsg([data], route.ancillary, 0, route.where)


def _source(level: int, kind: int, content: bytes) -> tuple[int, int, bytes] | None:
    """The ancillary data that names as source what these name as destination."""
    if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
        _, _, destination = _IN_PKTINFO.unpack_from(content)
        return level, kind, _IN_PKTINFO.pack(0, destination, b"\0" * 4)
    if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
        destination, interface = _IN6_PKTINFO.unpack_from(content)
        # A link-local address means nothing without its interface; others are routed as usual.
        is_local = destination[:2] == b"\xfe\x80"
        return level, kind, _IN6_PKTINFO.pack(destination, interface if is_local else 0)
    return None
