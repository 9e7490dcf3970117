"""The replicas of the operator: their addresses, a connected socket to each, shared keys.

The kernel drops what comes to a connected socket from anywhere but its replica. A replica whose
public key the spec names gets datagrams signed with keys that nobody else has (`secure_channel`).
Where the spec names none, its operator is of an older version: then the key file's keys sign, if
there is one. All but the look-ups belongs to the heartbeat thread; `Replica.send` is for any.
"""

import logging
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Any, NamedTuple

from duravip_api.heartbeat import MAX_BYTES, AnyDatagram, decode_any, encode
from duravip_runtime.key_file import KeyFile
from duravip_runtime.secure_channel import OPERATOR, Channel, KeyPair, Party
from duravip_runtime.settings import Endpoint, parse_endpoint

log = logging.getLogger(__name__)

LOOK_UP_EVERY_S = 30.0
"""Names are looked up again this often, since a replica may have moved."""

SocketAddress = tuple[socket.AddressFamily, Any]
"""A family, and an address of that family as sockets take it."""


class Resolver:
    """Resolves HOST:PORT, in a thread of its own, and remembers what names stand for.

    A name that is not known yet is left out.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[SocketAddress, ...]] = {}
        self._asked: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        """Those of the asked ones that have to be looked up."""
        self._changed = Event()

    def start(self) -> None:
        """Begin to look names up."""
        Thread(target=self._run, name="resolver", daemon=True).start()

    def resolved(self, targets: tuple[str, ...]) -> list[tuple[str, SocketAddress]]:
        """These, each with a socket address that is known of it; never waits."""
        if targets != self._asked:
            numeric = {target: _numeric(target) for target in targets}
            self._asked = targets
            self._known = {target: where for target, where in numeric.items() if where}
            self._names = tuple(target for target, where in numeric.items() if where is None)
            self._changed.set()
        current = self._known
        return [(target, where) for target in targets for where in current.get(target, ())]

    def _run(self) -> None:
        while True:
            self._changed.wait(LOOK_UP_EVERY_S if self._names else None)
            self._changed.clear()
            names = self._names
            addresses = {name: where for name in names if (where := _looked_up(name))}
            if names == self._names:
                self._known = {**self._known, **addresses}


def _numeric(target: str) -> tuple[SocketAddress, ...] | None:
    """Without a look-up; None when there has to be one, empty when it is no target at all."""
    try:
        where = parse_endpoint(target)
    except ValueError as error:
        log.warning("cannot beat to %r: %s", target, error)
        return ()
    if not where.port:
        log.warning("cannot beat to %r: nobody can send to port 0", target)
        return ()
    return _addresses(where, socket.AI_NUMERICHOST) if where.is_numeric else None


def _looked_up(target: str) -> tuple[SocketAddress, ...]:
    where = parse_endpoint(target)
    try:
        return _addresses(where)
    except OSError as error:
        log.warning("cannot look up %s, where beats shall go: %s", where.host, error)
        return ()


def _addresses(where: Endpoint, flags: int = 0) -> tuple[SocketAddress, ...]:
    results = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM, flags=flags)
    return tuple((family, where) for family, _, _, _, where in results)


REOPEN_AFTER_S = 1.0
"""A connected socket keeps the source address that it began with, which the node may have lost:
one on which nothing was heard for this long, in seconds, is replaced."""

MAX_ADDRESSES = 64
"""Addresses that heartbeats go to: a spec names 16 replicas at most, by name or by address."""


class SharedKeys:
    """The keys of the key file, as operators of older versions use them."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file

    def refresh(self, now: float) -> None:
        """Read the file again if it has changed."""
        if note := self._file.refresh(now):
            log.warning("%s", note)

    def sealed(self, datagram: AnyDatagram) -> bytes:
        """As `Channel.sealed`."""
        return encode(datagram, self._file.keys)

    def opened(self, data: bytes) -> AnyDatagram | None:
        """As `Channel.opened`."""
        return decode_any(data, self._file.keys)


Signing = SharedKeys | Channel
"""How what goes to a replica is signed, and what comes from it is checked."""


class Replica:
    """One address of one replica."""

    def __init__(self, target: str, where: SocketAddress, signing: Signing, now: float) -> None:
        self.target, self._where, self._signing = target, where, signing
        self._heard = now
        self.socket = _connected(where)

    def send(self, datagram: AnyDatagram) -> bool:
        """Send a datagram; False when that is not possible now."""
        data, sock = self._signing.sealed(datagram), self.socket
        for _ in range(2):  # the first try may only bring that the one before was not delivered
            with suppress(OSError):
                if sock:
                    sock.send(data)
                    return True
        return False

    def receive(self, now: float) -> AnyDatagram | None:
        """The datagram that has come; None when it is not the replica's. Raises OSError."""
        if self.socket is None:
            return None
        datagram = self._signing.opened(self.socket.recv(MAX_BYTES + 1))
        if datagram is not None:
            self._heard = now
        return datagram

    def reopen_if_silent(self, now: float) -> None:
        """Begin anew where nothing was heard for long: from another source address perhaps."""
        if now - self._heard >= REOPEN_AFTER_S:
            self.close()
            self.socket, self._heard = _connected(self._where), now

    def close(self) -> None:
        """Speak to it no more."""
        if self.socket:
            self.socket.close()
        self.socket = None


class _Key(NamedTuple):
    target: str
    where: SocketAddress
    public_key: str


class Replicas:
    """All of them, as the spec names them."""

    def __init__(self, node: str, keys: KeyPair, file: KeyFile | None) -> None:
        self._node, self._keys = node, keys
        self._shared = SharedKeys(file) if file else None
        self._known: dict[_Key, Replica] = {}
        self._channels: dict[str, Channel | None] = {}
        """By public key; None: it is none."""
        self._unsigned: frozenset[str] = frozenset()

    def all(self) -> list[Replica]:
        """Those that can be spoken to."""
        return list(self._known.values())

    def update(
        self,
        resolved: Iterable[tuple[str, SocketAddress]],
        public_keys: Mapping[str, str],
        now: float,
    ) -> None:
        """Speak from now on to exactly these; `public_keys` by target."""
        if self._shared:
            self._shared.refresh(now)
        wanted = [_Key(target, where, public_keys.get(target, "")) for target, where in resolved]
        wanted = wanted[:MAX_ADDRESSES]
        for gone in self._known.keys() - set(wanted):
            self._known.pop(gone).close()
        self._channels = {k: c for k, c in self._channels.items() if k in public_keys.values()}
        signed = {key: self._signing(key.public_key) for key in wanted}
        for key, signing in signed.items():
            if signing and key not in self._known:
                self._known[key] = Replica(key.target, key.where, signing, now)
        for replica in self._known.values():
            replica.reopen_if_silent(now)
        self._warn(frozenset(key.target for key, signing in signed.items() if signing is None))

    def _signing(self, public_key: str) -> Signing | None:
        if not public_key:
            return self._shared
        if public_key not in self._channels:
            try:
                channel = self._keys.channel(self._node, Party(OPERATOR, public_key))
            except ValueError:
                channel = None
            self._channels[public_key] = channel
        return self._channels[public_key]

    def _warn(self, unsigned: frozenset[str]) -> None:
        if unsigned and unsigned != self._unsigned:
            log.warning(
                "cannot beat to %s: the spec names no public key of it that can be used, and "
                "--pulse-key-file is not given",
                ", ".join(sorted(unsigned)),
            )
        self._unsigned = unsigned


def _connected(where: SocketAddress) -> socket.socket | None:
    family, address = where
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        return None  # no IPv6 in this kernel
    try:
        sock.settimeout(0.0)
        sock.connect(address)
    except OSError:  # no route now
        sock.close()
        return None
    return sock
