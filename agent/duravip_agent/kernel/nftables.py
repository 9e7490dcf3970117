"""A raw nf_tables socket, for what must be quick.

The rules are text, loaded by nft. Elements go this way, because a fail-over waits for them: no
process has to start, and thousands take a third of the time that a library needs.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Sequence

from duravip_agent.codec import nf_tables, rtnetlink
from duravip_agent.codec.nf_tables import FENCE, INET, NETDEV, Element, Piece, Request
from duravip_agent.codec.nft_ruleset import TABLE

DUMP_TRIES = 5

_NETLINK_NETFILTER = 12
_BUFFER, _DATAGRAM = 16 << 20, 1 << 18
_SOL_NETLINK, _CAP_ACK = 270, 10
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33

_SIZES = {4, 16}
"""Bytes of an address."""


class Nftables:
    """Reads and changes our tables. For one thread.

    The kernel works while `send` and `recv` run: an answer is there at once or will never be. A
    transaction waits in `send` for those of other programs.
    """

    def __init__(self) -> None:
        self._seq = 0
        self._sock = _opened()

    def close(self) -> None:
        """End it; the tables stay."""
        self._sock.close()

    def renew(self) -> None:
        """Begin with an empty socket: what is still in the old one answers nobody."""
        sock = _opened()
        self._sock.close()
        self._sock = sock

    def commit(self, requests: Iterable[Request]) -> None:
        """Make all these changes, or none and raise OSError; they are in force on return."""
        listed = list(requests)
        if listed:
            first, self._seq = self._seq + 1, self._seq + len(listed) + 2
            self._sock.send(nf_tables.transaction(listed, first))
            self._check(first)

    def generation(self) -> int:
        """Another number after every transaction of anybody in this network namespace.

        To be asked for time and again. Being told would cost more: while anybody listens, the
        kernel writes a message for each element and rule, and transactions take thrice as long.
        """
        self._seq += 1
        self._sock.send(nf_tables.generation_request(self._seq))
        bodies, _ = self._answers()
        if not bodies:
            raise OSError(errno.EPROTO, "no answer to a question")
        return nf_tables.generation_in(bodies[0])

    def addresses(self, name: str) -> frozenset[str]:
        """What is in `vips` or `held` of either table; nothing when there is no table."""
        names = (f"{name}4", f"{name}6")
        keys = (key for f in (NETDEV, INET) for n in names for key in self.keys(f, n))
        return frozenset(nf_tables.address_of(key) for key in keys if len(key) in _SIZES)

    def keys(self, family: int, name: str, table: str = TABLE) -> list[bytes]:
        """The elements of a set that have not expired; nothing when there is no such set."""
        bodies = self._listed(nf_tables.GET_ELEMENTS, (family, table), name)
        return [key for body in bodies for key in nf_tables.keys_in(body)]

    def found(self, family: int, name: str, keys: Iterable[bytes]) -> list[Element] | None:
        """These elements of a set; None when it does not have all of them, or is not there."""
        self._seq += 1
        self._sock.send(nf_tables.question(family, name, keys, self._seq))
        elements: list[Element] = []
        while True:
            for message in rtnetlink.split(self._sock.recv(_DATAGRAM)):
                if message.seq != self._seq:
                    continue
                if message.kind != rtnetlink.ERROR:
                    elements += nf_tables.elements_in(message.body)
                elif number := rtnetlink.errno_of(message.body):
                    if number != errno.ENOENT:
                        raise OSError(number, os.strerror(number))
                    return None
                else:
                    return elements

    def pieces(self, tables: Sequence[tuple[int, str]] = FENCE) -> frozenset[Piece]:
        """What these tables consist of; nothing when there is no table."""
        kinds = (nf_tables.GET_TABLES, nf_tables.GET_CHAINS, nf_tables.GET_RULES)
        found = (
            nf_tables.piece_in(kind, where, body)
            for where in tables
            for kind in kinds
            for body in self._listed(kind, where)
        )
        return frozenset(piece for piece in found if piece)

    def _check(self, first: int) -> None:
        """Read the answers; raises OSError when the transaction was not made."""
        numbers: list[int] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                datagram = self._sock.recv(_DATAGRAM)
                numbers += [
                    rtnetlink.errno_of(message.body)
                    for message in rtnetlink.split(datagram)
                    if message.kind == rtnetlink.ERROR and message.seq >= first
                ]
        if not numbers:
            raise OSError(errno.EPROTO, "no answer to a transaction")
        if worst := next(filter(None, numbers), 0):
            raise OSError(worst, "transaction refused")

    def _listed(self, kind: int, where: tuple[int, str], name: str = "") -> list[bytes]:
        """The answers to a listing, which is asked for again if something changed meanwhile."""
        bodies: list[bytes] = []
        for _ in range(DUMP_TRIES):
            self._seq += 1
            self._sock.send(nf_tables.listing(kind, where, self._seq, name))
            bodies, is_whole = self._answers()
            if is_whole:
                break
        return bodies

    def _answers(self) -> tuple[list[bytes], bool]:
        bodies: list[bytes] = []
        is_whole = True
        while True:
            for message in rtnetlink.split(self._sock.recv(_DATAGRAM)):
                if message.seq != self._seq:
                    continue  # the rest of one that was given up
                is_whole = is_whole and not message.is_interrupted
                if message.kind in {rtnetlink.DONE, rtnetlink.ERROR}:
                    return bodies, is_whole
                bodies.append(message.body)


def _opened() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    sock.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
    sock.settimeout(0.0)
    sock.bind((0, 0))
    return sock
