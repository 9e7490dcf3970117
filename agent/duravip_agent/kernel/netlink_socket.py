"""A netlink socket (netlink(7)): numbers requests, and sorts out what the kernel answers."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from duravip_agent.codec.netlink_messages import DONE, ERROR, Message, errno_of, split

Item = TypeVar("Item")

ROUTE, SOCK_DIAG, NETFILTER = 0, 4, 12
"""Netlink protocols."""

TIMEOUT_S = 5.0
"""The kernel answers at once; longer means that an answer was lost."""

DUMP_TRIES = 5

_BUFFER = 16 << 20
_DATAGRAM = 1 << 18
_SOL_NETLINK, _CAP_ACK, _STRICT_CHECK = 270, 10, 12
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33


class KernelRefusalError(OSError):
    """The kernel has answered a request with an error."""


class NetlinkSocket(contextlib.AbstractContextManager["NetlinkSocket"]):
    """For one thread."""

    def __init__(
        self,
        protocol: int = ROUTE,
        *,
        groups: int = 0,
        timeout: float | None = TIMEOUT_S,
        is_strict: bool = False,
    ) -> None:
        """It hears the events of these groups; `is_strict` lets the kernel filter dumps."""
        self._protocol, self._groups, self._timeout = protocol, groups, timeout
        self._is_strict = is_strict
        self._seq = 0
        self._was_interrupted = False
        self._sock = self._opened()

    def _opened(self) -> socket.socket:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, self._protocol)
        for option in (_SO_RCVBUFFORCE, _SO_SNDBUFFORCE):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        sock.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        sock.setsockopt(_SOL_NETLINK, _STRICT_CHECK, int(self._is_strict))
        sock.settimeout(self._timeout)
        sock.bind((0, self._groups))
        return sock

    def close(self) -> None:
        """Give the socket back."""
        self._sock.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def renew(self) -> None:
        """Begin with an empty socket: what is still in the old one answers nobody."""
        sock = self._opened()
        self._sock.close()
        self._sock = sock

    def head_of_next(self, size: int, flags: int = 0) -> bytes:
        """The first bytes of the next datagram; the rest of it is dropped."""
        return self._sock.recv(size, flags)

    def numbers(self, count: int) -> int:
        """Reserve numbers for `count` requests; gives back the first."""
        first = self._seq + 1
        self._seq += count
        return first

    def send(self, datagram: bytes) -> None:
        """Send requests that carry reserved numbers."""
        self._sock.send(datagram)

    def receive(self, first: int) -> list[Message]:
        """What the next datagram says of requests from this number on."""
        messages = split(self._sock.recv(_DATAGRAM))  # others: the rest of one that was given up
        return [message for message in messages if message.seq >= first]

    def stream(self, request: Callable[[int], bytes]) -> Iterator[bytes]:
        """The bodies of the answers to one request; raises OSError.

        `request` makes its bytes from its number.
        """
        seq = self.numbers(1)
        self._was_interrupted = False
        self.send(request(seq))
        while True:
            for message in self.receive(seq):
                self._was_interrupted |= message.is_interrupted
                if message.kind == DONE:
                    return
                if message.kind == ERROR:
                    if number := errno_of(message.body):
                        raise KernelRefusalError(number, os.strerror(number))
                    return
                yield message.body

    def dump(self, request: Callable[[int], bytes]) -> list[bytes]:
        """The answers to one request, asked for again when something changed meanwhile."""
        bodies: list[bytes] = []
        with self._renewed_after_failure():
            for _ in range(DUMP_TRIES):
                bodies = list(self.stream(request))
                if not self._was_interrupted:
                    break
        return bodies

    def change(
        self, items: Sequence[Item], request: Callable[[Item, int, bool], bytes], batch: int
    ) -> dict[Item, int]:
        """Make one request for each item; gives back those that were refused, with their errno.

        So many requests go out in one datagram. `request` makes the bytes from an item, a number,
        and whether the kernel is to acknowledge it: the last one of each datagram.
        """
        refused: dict[Item, int] = {}
        with self._renewed_after_failure():
            for start in range(0, len(items), batch):
                refused |= self._change_some(items[start : start + batch], request)
        return refused

    @contextlib.contextmanager
    def _renewed_after_failure(self) -> Iterator[None]:
        try:
            yield
        except KernelRefusalError:
            raise
        except OSError:
            self.renew()
            raise

    def _change_some(
        self, items: Sequence[Item], request: Callable[[Item, int, bool], bytes]
    ) -> dict[Item, int]:
        first = self.numbers(len(items))
        last = first + len(items) - 1
        self.send(
            b"".join(request(item, seq, seq == last) for seq, item in enumerate(items, first))
        )
        refused: dict[Item, int] = {}
        while True:
            for message in self.receive(first):
                if message.kind != ERROR:
                    continue
                if number := errno_of(message.body):
                    refused[items[message.seq - first]] = number
                if message.seq == last:
                    return refused
