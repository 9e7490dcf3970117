"""A raw rtnetlink socket that carries many messages in one datagram."""

import contextlib
import socket
from collections.abc import Sequence

from duravip_agent.codec import rtnetlink, rtnetlink_links
from duravip_agent.codec.rtnetlink import Broadcast, Change, RouteChange
from duravip_agent.core.kernel_state import Alias

BATCH = 64
"""Changes of addresses in one system call. More would keep a core for tens of milliseconds."""

ROUTES = 512
"""The same of routes, which take the kernel microseconds."""

TIMEOUT = 5.0
"""The kernel answers at once; longer means that an answer was lost."""

DUMP_TRIES = 5

AnyChange = Change | RouteChange | Broadcast
"""What can be changed; all of one call are of one kind."""

_BUFFER = 8 << 20
_DATAGRAM = 1 << 18
_SOL_NETLINK, _CAP_ACK = 270, 10
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32


def opened(groups: int = 0) -> socket.socket:
    """An rtnetlink socket; it hears the events of these groups."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    for option in (_SO_RCVBUFFORCE, _SO_SNDBUFFORCE):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    sock.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
    sock.bind((0, groups))
    return sock


class Packed:
    """Reads and changes what the kernel holds. For one thread."""

    def __init__(self) -> None:
        self._seq = 0
        self._sock = self._opened()

    @staticmethod
    def _opened() -> socket.socket:
        sock = opened()
        sock.settimeout(TIMEOUT)
        return sock

    def dump(self, kind: int) -> list[bytes]:
        """The bodies of all objects of a kind, read again when they changed meanwhile."""
        bodies: list[bytes] = []
        for _ in range(DUMP_TRIES):
            bodies, is_whole = self._dump_once(kind)
            if is_whole:
                break
        return bodies

    def change(self, changes: Sequence[AnyChange]) -> dict[Alias, int]:
        """Make changes; gives back those that were refused, each with its errno."""
        refused: dict[Alias, int] = {}
        batch = ROUTES if changes and isinstance(changes[0], RouteChange) else BATCH
        for start in range(0, len(changes), batch):
            refused |= self._change_batch(changes[start : start + batch])
        return refused

    def _change_batch(self, batch: Sequence[AnyChange]) -> dict[Alias, int]:
        first, last = self._seq + 1, self._seq + len(batch)
        self._seq = last
        datagram = b"".join(
            _request(change, seq, wants_ack=seq == last) for seq, change in enumerate(batch, first)
        )
        self._send(datagram)
        refused: dict[Alias, int] = {}
        while True:
            for message in self._received():
                if message.kind != rtnetlink.ERROR or not first <= message.seq <= last:
                    continue
                number = rtnetlink.errno_of(message.body)
                if number:
                    refused[batch[message.seq - first].alias] = number
                if message.seq == last:
                    return refused

    def _dump_once(self, kind: int) -> tuple[list[bytes], bool]:
        self._seq += 1
        self._send(
            rtnetlink_links.request(self._seq)
            if kind == rtnetlink_links.GET_LINK
            else rtnetlink.dump_request(kind, self._seq)
        )
        bodies: list[bytes] = []
        is_whole = True
        while True:
            for message in self._received():
                if message.seq != self._seq:
                    continue  # the rest of a dump that failed half-way
                if message.kind == rtnetlink.ERROR:
                    raise OSError(rtnetlink.errno_of(message.body), "the kernel gives no list")
                is_whole = is_whole and not message.is_interrupted
                if message.kind == rtnetlink.DONE:
                    return bodies, is_whole
                bodies.append(message.body)

    def _send(self, datagram: bytes) -> None:
        try:
            self._sock.send(datagram)
        except OSError:
            self._renew()
            raise

    def _received(self) -> list[rtnetlink.Message]:
        try:
            return list(rtnetlink.split(self._sock.recv(_DATAGRAM)))
        except OSError:
            self._renew()
            raise

    def _renew(self) -> None:
        """Start with an empty socket: what is still in the old one answers nobody."""
        self._sock.close()
        self._sock = self._opened()


def _request(change: AnyChange, seq: int, *, wants_ack: bool) -> bytes:
    if isinstance(change, RouteChange):
        return rtnetlink.route_request(change, seq, wants_ack=wants_ack)
    if isinstance(change, Broadcast):
        return rtnetlink.broadcast_removal(change, seq, wants_ack=wants_ack)
    return rtnetlink.change_request(change, seq, wants_ack=wants_ack)
