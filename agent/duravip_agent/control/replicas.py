"""The replicas of the operator: a connected socket to each, and the keys shared with it.

The kernel drops what comes to a connected socket from anywhere but its replica. A replica whose
public key the spec names gets datagrams signed with keys that nobody else has (`secure_channel`).
Where the spec names none, its operator is of an older version: then the key file's keys sign, if
there is one. Everything here belongs to the heartbeat thread; `Replica.send` is for any thread.
"""

import logging
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

from duravip_agent.control.resolver import SocketAddress
from duravip_api.heartbeat import MAX_BYTES, AnyDatagram, decode_any, encode
from duravip_runtime.key_file import KeyFile
from duravip_runtime.secure_channel import OPERATOR, Channel, KeyPair, Party

log = logging.getLogger(__name__)

REOPEN_AFTER_S = 1.0
"""A connected socket keeps the source address that it began with, which the node may have lost:
one on which nothing was heard for this long, in seconds, is replaced."""

MAX_ADDRESSES = 64
"""Addresses that heartbeats go to: a spec names 16 replicas at most, by name or by address."""


class Signing(Protocol):
    """How what goes to a replica is signed, and what comes from it is checked."""

    def sealed(self, datagram: AnyDatagram) -> bytes:
        """Turn a datagram into bytes."""

    def opened(self, data: bytes) -> AnyDatagram | None:
        """Read one; None when it is not the replica's, or not valid."""


class SharedKeys:
    """The keys of the key file, as operators of older versions use them."""

    def __init__(self, file: KeyFile) -> None:
        self._file = file

    def refresh(self, now: float) -> None:
        """Read the file again if it has changed."""
        if note := self._file.refresh(now):
            log.warning("%s", note)

    def sealed(self, datagram: AnyDatagram) -> bytes:
        """See `Signing`."""
        return encode(datagram, self._file.keys)

    def opened(self, data: bytes) -> AnyDatagram | None:
        """See `Signing`."""
        return decode_any(data, self._file.keys)


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
