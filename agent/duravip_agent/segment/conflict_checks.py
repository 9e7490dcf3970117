"""Finds hosts that have addresses which are contested, or which this node serves as well.

It listens for their claims, and probes. No call here waits: results come to the loop as events.
"""

import errno
import logging
import os
import select
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from threading import Thread
from types import MappingProxyType
from typing import NamedTuple

from duravip_agent import clock
from duravip_agent.codec import bpf
from duravip_agent.codec.frames import ARP, IPV6, claim_in
from duravip_agent.core.address_conflicts import (
    SAMPLE_EVERY_S,
    Claim,
    ClaimThrottle,
    Conflict,
    Sampler,
)
from duravip_agent.core.kernel_state import Link
from duravip_agent.core.probing import ONE_PROBE, ProbeResult, ProbeSpec
from duravip_agent.events import AddressesClaimed, Inbox, SegmentProbed
from duravip_agent.metrics import Metrics
from duravip_agent.segment.prober import ProbeWorker
from duravip_agent.segment.raw_socket import RawSocket
from duravip_api.addresses import to_int

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
        self.throttle = ClaimThrottle()
        self.frames = self.lost = 0
        """What the kernel has handed over since the start, and what there was no room for."""

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
            self.throttle.keep_only(frozenset().union(*self._wanted.values()))
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
            self.lost += listening.sock.lost()
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
            self.frames += 1
            address, mac = claim_in(frame)
            if address in held and mac not in own:
                claim = Claim(address, interface, mac, now)
                if self.throttle.passes(claim):
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


CHECK_EVERY_S = 0.09
"""How often the segment is probed, without contact, for hosts that have an address of ours."""

CHECK_BATCH = 8
"""Addresses of an interface: all of a node's move together, so a few of them tell. When a host
answers for one of them, all are asked about."""


class ConflictChecker:
    """Probes, and lets the watcher listen."""

    def __init__(self, inbox: Inbox, worker: ProbeWorker) -> None:
        self._inbox, self._worker = inbox, worker
        self._watcher = ClaimWatcher(lambda claims: inbox.put(AddressesClaimed(claims)))
        self._held = HeldAddresses()
        self._checked_at = self._sampled_at = float("-inf")
        self._turn = 0
        self._sampler = Sampler()

    def count(self, metrics: Metrics) -> None:
        """Let these show what the ears have counted."""
        watcher = self._watcher
        metrics.heard_frames.set_function(lambda: watcher.frames)
        metrics.lost_frames.set_function(lambda: watcher.lost)
        metrics.held_back.set_function(lambda: watcher.throttle.held_back)

    def start(self) -> None:
        """Begin to listen."""
        self._worker.start()
        self._watcher.start()

    def probe_contested(self, generation: int, addresses: Mapping[str, frozenset[str]]) -> None:
        """Ask each segment for addresses that a spec of this generation contests (rule A2)."""
        for interface, contested in addresses.items():
            question = ProbeSpec(tuple(sorted(contested, key=to_int)))
            self._worker.probe(interface, question, partial(self._report_result, generation))

    def check_held(self, now: float) -> None:
        """Ask whether others answer for what we hold (rule A4), unless that was just done.

        A segment that was cut may have healed: the node that took over on the other side announces
        itself seldom, and nobody tells us anything.
        """
        if now - self._checked_at < CHECK_EVERY_S:
            return
        self._checked_at = now
        self._turn += 1
        for interface, addresses in self._held.addresses.items():
            chosen = _next_few(sorted(addresses, key=to_int), self._turn)
            answer = partial(self._on_check_result, interface)
            self._worker.probe(interface, ProbeSpec(chosen, ONE_PROBE, is_one_enough=True), answer)

    def sample(self, now: float, claimed: Mapping[str, Conflict]) -> None:
        """Ask, at leisure, who else has what we hold; `claimed` is what others have as is known.

        In contact the addresses are ours beyond doubt. But a host that has taken one, and does not
        announce it, is noticed by nobody who does not ask.
        """
        if now - self._sampled_at < SAMPLE_EVERY_S:
            return
        self._sampled_at = now
        for interface, chosen in self._sampler.due(now, claimed).items():
            answer = partial(self._report_claims, interface)
            self._worker.probe(interface, ProbeSpec(chosen, ONE_PROBE), answer)

    def set_held(self, addresses: Mapping[str, frozenset[str]], links: Iterable[Link]) -> None:
        """Listen for claims of exactly these, by interface (rule A4)."""
        held = HeldAddresses(addresses, frozenset(link.mac for link in links if link.mac))
        if held != self._held:
            self._held = held
            self._watcher.set_held(held)
            self._sampler.set_held(addresses)

    def _on_check_result(self, interface: str, findings: ProbeResult) -> None:
        self._report_claims(interface, findings)
        if findings.answered:
            everything = tuple(sorted(self._held.addresses.get(interface, ())))
            answer = partial(self._report_claims, interface)
            self._worker.probe(interface, ProbeSpec(everything, ONE_PROBE), answer)

    def _report_claims(self, interface: str, findings: ProbeResult) -> None:
        now, own = time.monotonic(), self._held.macs
        others = {
            address: [mac for mac in macs if mac not in own]
            for address, macs in findings.answered.items()
        }
        claims = tuple(Claim(a, interface, macs[0], now) for a, macs in others.items() if macs)
        if claims:
            self._inbox.put(AddressesClaimed(claims))

    def _report_result(self, generation: int, findings: ProbeResult) -> None:
        self._inbox.put(SegmentProbed(generation, findings, clock.now()))


def _next_few(addresses: Sequence[str], turn: int) -> tuple[str, ...]:
    """The next few of them: all have their turn."""
    start = turn * CHECK_BATCH % max(1, len(addresses))
    return tuple((*addresses[start:], *addresses[:start])[:CHECK_BATCH])
