"""Beats: every 100 ms one datagram to every replica of the operator, and their answers.

Runs in a thread of its own, and never waits for anything but the clock and its sockets.
"""

import contextlib
import logging
import os
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from duravip_agent.keys import KeyFile
from duravip_agent.metrics import Metrics
from duravip_agent.targets import Targets
from duravip_api.beats import MAX_BYTES, Ack, Beat, opened, sealed
from duravip_api.timing import BEAT

log = logging.getLogger(__name__)

OLDEST_ANSWER = 50
"""An answer to an earlier beat than that many ago is taken for a replay."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the next beats say, and to whom."""

    targets: tuple[str, ...] = ()
    """HOST:PORT of every replica."""
    generation: int = 0
    """Of the spec that is acted on."""
    newest_read: int = 0
    """The newest generation that was read, acted on or not."""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest answer of a leader."""

    at: float
    """By the monotonic clock."""
    epoch: int
    generation: int


class Heart:
    """Beats. What is to be said is set from outside, as one value."""

    def __init__(
        self, who: tuple[str, str], keys: KeyFile, metrics: Metrics, on_newer: Callable[[], None]
    ) -> None:
        self._node, self._boot = who
        self._keys, self._metrics, self._on_newer = keys, metrics, on_newer
        self._targets = Targets()
        self._seq = 0
        self._sockets = {family: sock for family in _FAMILIES if (sock := _socket(family))}
        self.pulse = Pulse()
        self.newest: Heard | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._targets.start()
        Thread(target=self._run, name="beat", daemon=True).start()

    def _run(self) -> None:
        # Ahead of everything else on a busy node, where that is allowed (CAP_SYS_NICE).
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= due:
                due = max(due + BEAT, now)
                self._keys.refresh(now)
                self._beat()
            self._listen(due - time.monotonic())

    def _beat(self) -> None:
        pulse = self.pulse
        self._seq += 1
        beat = Beat(self._node, self._boot, self._seq, pulse.generation, pulse.digest)
        datagram = sealed(beat, self._keys.keys)
        for family, where in self._targets.resolved(pulse.targets):
            sock = self._sockets.get(family)
            if sock is None:
                continue
            with contextlib.suppress(OSError):  # unreachable now: the next beat tries again
                sock.sendto(datagram, where)
                self._metrics.beats.inc()

    def _listen(self, seconds: float) -> None:
        readable, _, _ = select.select([*self._sockets.values()], [], [], max(0.0, seconds))
        for sock in readable:
            with contextlib.suppress(OSError):  # a port-unreachable, or nothing after all
                self._take(sock.recv(MAX_BYTES))

    def _take(self, datagram: bytes) -> None:
        ack = opened(Ack, datagram, self._keys.keys)
        if ack is None or ack.boot != self._boot:
            return
        if not self._seq - OLDEST_ANSWER < ack.seq <= self._seq:
            return
        self._metrics.acks.inc()
        if not ack.leader or (self.newest and ack.epoch < self.newest.epoch):
            return
        self.newest = Heard(time.monotonic(), ack.epoch, ack.generation)
        if ack.generation > self.pulse.newest_read:
            self._on_newer()


_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def _socket(family: socket.AddressFamily) -> socket.socket | None:
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        return None  # no IPv6 in this kernel
    sock.settimeout(0.0)
    return sock
