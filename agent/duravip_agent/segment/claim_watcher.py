"""Listens for other hosts that claim an address of ours; `core/address_conflicts` keeps them."""

import errno
import logging
import os
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from threading import Thread
from types import MappingProxyType
from typing import NamedTuple

from duravip_agent.codec import bpf
from duravip_agent.codec.frames import ARP, IPV6, claim_in
from duravip_agent.core.address_conflicts import Claim, ClaimThrottle
from duravip_agent.segment.raw_socket import RawSocket

log = logging.getLogger(__name__)

OnClaims = Callable[[tuple[Claim, ...]], None]

REOPEN_EVERY_S = 1.0
"""An interface that was away is looked for again this often, in seconds, when nobody tells us."""

READ_BATCH = 256
"""Frames that are read before the claims among them are passed on."""

_ABSENT = {errno.ENODEV, errno.ENXIO, errno.ENETDOWN}
_PAUSE = 0.1
_PROGRAMS = {ARP: bpf.arp_claims, IPV6: bpf.advertisements}


class HeldAddresses(NamedTuple):
    """What is ours."""

    addresses: Mapping[str, frozenset[str]] = MappingProxyType({})
    """By interface, in canonical form."""
    macs: frozenset[str] = frozenset()
    """Of all our interfaces: they may share a segment."""


@dataclass(slots=True)
class Counts:
    """Counted since the start."""

    frames: int = 0
    """What the kernel has handed over: about addresses near ours."""
    lost: int = 0
    """What there was no room for."""


@dataclass(slots=True)
class _ListeningSocket:
    sock: RawSocket
    addresses: frozenset[str] = frozenset()
    """Those that the socket's program was made for."""
    mac: bytes = b""
    """The same."""


class ClaimWatcher:
    """Listens on every interface on which something is held, in a thread of its own."""

    def __init__(self, on_claims: OnClaims) -> None:
        self._on_claims = on_claims
        self._held = HeldAddresses()
        self._wanted: Mapping[tuple[str, int], frozenset[str]] = {}
        self._sockets: dict[tuple[str, int], _ListeningSocket] = {}
        self._is_new, self._is_stopping, self._reopen_at = False, False, 0.0
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.thread = Thread(target=self._run, name="claim-watcher", daemon=True)
        self.sieve, self.counts = ClaimThrottle(), Counts()

    def start(self) -> None:
        """Begin to work."""
        self.thread.start()

    def stop(self) -> None:
        """End."""
        self._is_stopping = True
        os.eventfd_write(self._wake_fd, 1)
        self.thread.join()

    def set_held(self, held: HeldAddresses) -> None:
        """From now on exactly this is ours. To be called again when links have changed."""
        self._held, self._is_new = held, True
        os.eventfd_write(self._wake_fd, 1)

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                self._turn()
            except Exception:
                log.exception("watching failed and is tried again")
                time.sleep(_PAUSE)
        for listening in self._sockets.values():
            listening.sock.close()

    def _turn(self) -> None:
        ready = self._wait()
        if self._is_new:
            self._is_new, self._reopen_at = False, 0.0
            self._wanted = _by_kind(self._held)
            self.sieve.keep_only(frozenset().union(*self._wanted.values()))
        if time.monotonic() >= self._reopen_at:
            self._open_sockets()
            self._reopen_at = time.monotonic() + REOPEN_EVERY_S
        for (interface, _), listening in self._sockets.items():
            if listening.sock.fileno() in ready:
                self._read(interface, listening)

    def _wait(self) -> set[int]:
        """Wait for frames, or for something to do; the sockets that have something."""
        poll = select.poll()
        poll.register(self._wake_fd, select.POLLIN)
        for listening in self._sockets.values():
            poll.register(listening.sock.fileno(), select.POLLIN)
        pause = max(0.0, self._reopen_at - time.monotonic())
        ready = {fileno for fileno, _ in poll.poll(ceil(pause * 1000))}
        if self._wake_fd in ready:
            os.eventfd_read(self._wake_fd)
        return ready

    def _open_sockets(self) -> None:
        """Listen where something is held, for what is held there, and nowhere else."""
        for key in self._wanted.keys() | self._sockets.keys():
            addresses = self._wanted.get(key, frozenset())
            listening = self._socket_for(key, is_needed=bool(addresses))
            mac = None if listening is None else listening.sock.mac()
            if listening is None or mac is None:
                continue
            self.counts.lost += listening.sock.lost()
            if (listening.addresses, listening.mac) != (addresses, mac):
                listening.sock.set_filter(_PROGRAMS[key[1]](bpf.covering_blocks(addresses), mac))
                listening.addresses, listening.mac = addresses, mac

    def _socket_for(self, key: tuple[str, int], *, is_needed: bool) -> _ListeningSocket | None:
        """The open socket; one on an interface that is no more is closed."""
        listening = self._sockets.get(key)
        if listening is not None and listening.sock.mac() is None:
            self._sockets.pop(key).sock.close()
            listening = None
        if listening is None and is_needed:
            try:
                listening = self._sockets[key] = _ListeningSocket(RawSocket(*key))
            except OSError as error:
                level = logging.DEBUG if error.errno in _ABSENT else logging.WARNING
                log.log(level, "cannot watch %s: %s", key[0], error)
        return listening

    def _read(self, interface: str, listening: _ListeningSocket) -> None:
        now, claims = time.monotonic(), []
        held, own = self._held.addresses.get(interface, frozenset()), self._held.macs
        for frame in listening.sock.frames(READ_BATCH):
            self.counts.frames += 1
            address, mac = claim_in(frame)
            if address in held and mac not in own:
                claim = Claim(address, interface, mac, now)
                if self.sieve.passes(claim):
                    claims.append(claim)
        if claims:
            self._on_claims(tuple(claims))


def _by_kind(held: HeldAddresses) -> dict[tuple[str, int], frozenset[str]]:
    """By interface and Ethernet type."""
    by_kind: dict[tuple[str, int], frozenset[str]] = {}
    for interface, addresses in held.addresses.items():
        newer = frozenset(address for address in addresses if ":" in address)
        for kind, part in ((ARP, addresses - newer), (IPV6, newer)):
            if part:
                by_kind[interface, kind] = part
    return by_kind
