"""The operator's end of the beats, played by a thread of the test: real UDP, as old ones did it.

Agents know it by the key file, since the spec names no public key of it.
"""

import ctypes
import os
import socket
import threading
import time
from contextlib import suppress

from duravip_api.heartbeat import (
    MAX_BYTES,
    Ack,
    Heartbeat,
    ProbeReport,
    ProbeRequest,
    decode_any,
    encode,
    parse_keys,
)
from lab.machines import Machine

WHERE = "10.77.0.10:7946"
"""On the control plane's machine."""

KEY = "a-beat-key-of-a-local-cluster\n"
"""By which it is known as an operator of an older version."""

_NEW_NET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Peer:
    """Acknowledges every beat as a leader that knows the spec, unless it is told to be quiet."""

    def __init__(self, machine: Machine) -> None:
        self.epoch, self.generation = 1, 0
        self.is_quiet = False
        self.beats: list[tuple[float, Heartbeat]] = []
        self.sights: list[ProbeReport] = []
        self._keys = parse_keys(KEY)
        self._number = 0
        self._latest: tuple[Heartbeat, object] | None = None
        self._is_closing = False
        self._sock = _socket(machine)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def knows(self, epoch: int, generation: int) -> None:
        """The spec is another one now: say so at once, as a leader does that has written it."""
        self.epoch, self.generation = epoch, generation
        latest = self._latest
        if latest:
            self._acknowledge(*latest)

    def look(
        self, suspect: str, addresses: tuple[str, ...], macs: tuple[str, ...] = ()
    ) -> ProbeReport:
        """Let the agent that was heard last look for a suspect, and wait for what it has seen."""
        assert self._latest, "no agent was heard"
        beat, sender = self._latest
        self._number += 1
        look = ProbeRequest(beat.node, beat.boot, self._number, suspect, "eth1", addresses, macs)
        self._sock.sendto(encode(look, self._keys), sender)  # type: ignore[arg-type]
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for sight in self.sights:
                if sight.number == self._number:
                    return sight
            time.sleep(0.001)
        raise AssertionError("the look was not answered")

    def close(self) -> None:
        """Be gone."""
        self._is_closing = True
        self._thread.join()
        self._sock.close()

    def _run(self) -> None:
        while not self._is_closing:
            with suppress(TimeoutError):
                data, sender = self._sock.recvfrom(MAX_BYTES)
                datagram = decode_any(data, self._keys)
                if isinstance(datagram, Heartbeat):
                    self.beats.append((time.monotonic(), datagram))
                    self._latest = (datagram, sender)
                    self._acknowledge(datagram, sender)
                elif isinstance(datagram, ProbeReport):
                    self.sights.append(datagram)

    def _acknowledge(self, beat: Heartbeat, sender: object) -> None:
        if not self.is_quiet:
            ack = Ack(
                beat.boot, beat.seq, leader=True, epoch=self.epoch, generation=self.generation
            )
            self._sock.sendto(encode(ack, self._keys), sender)  # type: ignore[arg-type]


def _socket(machine: Machine) -> socket.socket:
    sock = made_in(machine, socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(0.1)
    host, _, port = WHERE.rpartition(":")
    sock.bind((host, int(port)))
    return sock


def made_in(machine: Machine, *kind: int) -> socket.socket:
    """A socket of that family, type and protocol in the machine's network, used from here."""
    ours = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    theirs = os.open(f"/proc/{machine.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(theirs)
        return socket.socket(*kind)
    finally:
        _enter(ours)
        os.close(ours)
        os.close(theirs)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _NEW_NET):
        raise OSError(ctypes.get_errno(), "setns")
