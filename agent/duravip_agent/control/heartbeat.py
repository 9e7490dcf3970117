"""Beats: every 100 ms one datagram to every replica of the operator, and their answers.

Runs in a thread of its own, and never waits for anything but the clock and its sockets. The same
thread refreshes the dead-man, and hands the operator's looks on. It beats no longer than the loop
lives: what a hung one holds is mute, and nobody would take it over from a node that is heard.
"""

import logging
import os
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from threading import Thread

from duravip_agent import clock
from duravip_agent.control.replicas import Replica, Replicas
from duravip_agent.control.resolver import Targets
from duravip_agent.core import acknowledgements
from duravip_agent.core.acknowledgements import Acked, after, is_news
from duravip_agent.core.watchdog_rule import Contact
from duravip_agent.kernel.watchdog import Lifeline
from duravip_agent.metrics import Metrics
from duravip_agent.segment.probe_requests import Looks
from duravip_api.heartbeat import Ack, AnyDatagram, Heartbeat, ProbeReport, ProbeRequest
from duravip_api.timing import BEAT

log = logging.getLogger(__name__)

MOST_ECHOES = 8
"""The tokens of so many replicas are echoed: more than there are, those that ended included."""

TAKEN_AT_ONCE = 200
"""So many datagrams of one replica are taken before the clock is looked at again."""

INTRODUCED_EVERY = 0.02
"""A new token is echoed at once, but not more often than this, in seconds."""

OLDEST_ANSWER = 50
"""An answer to an earlier beat than that many ago is taken for a replay."""

HURRY = (0.005, 0.01, 0.02, 0.04)
"""A new spec is beaten about at once and after these pauses, until an acknowledgement names it:
what it grants cannot be armed before that (rule A1)."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the next beats say, and to whom."""

    targets: tuple[str, ...] = ()
    """HOST:PORT of every replica."""
    public_keys: Mapping[str, str] = field(default_factory=dict)
    """Those of the replicas, by target, as far as they are known."""
    epoch: int = 0
    """The highest one that a spec was read with."""
    generation: int = 0
    """Of the spec that is acted on."""
    newest_read: int = 0
    """The newest generation that was read, acted on or not."""
    newest_epoch: int = 0
    """The epoch of that one."""
    digest: str = ""
    stopped: bool = False
    """Whether the agent has ended."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom to tell. Nothing of this may wait."""

    on_newer: Callable[[], None]
    """There is a newer spec than the one that was read."""
    on_contact: Callable[[], None]
    """Something may be armed that could not be before."""


class Heart:
    """Beats. What is to be said is set from outside, as one value."""

    def __init__(
        self,
        who: tuple[str, str],
        replicas: Replicas,
        lifeline: Lifeline,
        looks: Looks,
        metrics: Metrics,
    ) -> None:
        self._node, self._boot = who
        self._replicas, self._lifeline, self._looks = replicas, lifeline, looks
        self._metrics = metrics
        self._hooks = Hooks(lambda: None, lambda: None)
        self._targets = Targets()
        self._seq = 0
        self._sent: dict[int, float] = {}
        """When the latest beats were sent."""
        self._hurry: list[float] = []
        """When to beat beside the usual times."""
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._acked: Acked | None = None
        self._differs: acknowledgements.Difference | None = None
        self.is_stale = False
        """Whether a leader goes on naming another spec than the one that was read last."""
        self._echoes: tuple[str, ...] = ()
        self._began = self._read = clock.now()
        """When it began to beat; when the spec was last read again for want of a leader."""
        self._introduced = 0.0
        """When a replica was last answered at once."""
        self.pulse = Pulse()
        self.refused_priority = ""
        """Why this thread is no more ahead than others; empty: it is."""

    @property
    def contact(self) -> Contact | None:
        """The newest acknowledgement of a leader."""
        acked = self._acked
        return acked.contact if acked else None

    def start(self, hooks: Hooks) -> None:
        """Begin to beat."""
        self._hooks = hooks
        self._targets.start()
        Thread(target=self._run, name="beat", daemon=True).start()

    def renew(self, boot: str) -> None:
        """Beat under another boot from now on: no answer to an earlier beat counts any more."""
        self._boot = self._looks.boot = boot

    def hurry(self) -> None:
        """Beat now: there is a new spec to be acknowledged, or less is served."""
        os.eventfd_write(self._bell, 1)

    def _run(self) -> None:
        self._get_ahead()
        due = clock.now()
        while True:
            try:
                due = self._turn(due)
            except Exception:
                log.exception("a beat failed, and is tried again")
                time.sleep(BEAT)

    def _get_ahead(self) -> None:
        """Be ahead of everything else on a busy node, where that is allowed.

        It needs CAP_SYS_NICE, and a kernel with CONFIG_RT_GROUP_SCHED gives a cgroup none of it
        unless somebody sets cpu.rt_runtime_us there.
        """
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except OSError as error:
            self.refused_priority = error.strerror or str(error)
            log.warning(
                "the kernel refuses the thread that beats a real-time priority (%s): on a busy "
                "node a late beat may cost it its addresses; allow it, or raise --dead-man-after",
                self.refused_priority,
            )
        self._metrics.realtime.set(not self.refused_priority)

    def _turn(self, due: float) -> float:
        """Do what is due; gives back when the next regular beat is."""
        now = clock.now()
        if now >= due:
            due = max(due + BEAT, now)
            self._beat()
            self._lifeline.tick(self.contact)
            if acknowledgements.must_read(self.contact, self._began, self._read, now):
                self._read = now
                self._hooks.on_newer()
        elif self._hurry and now >= self._hurry[0]:
            self._beat_in_a_hurry(now)
        self._listen(min([due, *self._hurry[:1]]) - clock.now())
        return due

    def _beat_in_a_hurry(self, now: float) -> None:
        contact = self.contact
        if contact and contact.generation == self.pulse.generation:
            self._hurry = []
            return
        self._hurry = [at for at in self._hurry if at > now]
        self._beat()

    def _beat(self) -> None:
        if self._lifeline.is_hung():
            return
        pulse = self.pulse
        self._seq += 1
        says = (pulse.generation, pulse.digest, self._echoes, pulse.stopped)
        beat = Heartbeat(self._node, self._boot, self._seq, *says)
        now = clock.now()
        self._sent[self._seq] = now
        self._sent.pop(self._seq - OLDEST_ANSWER, None)
        self._replicas.update(self._targets.resolved(pulse.targets), pulse.public_keys, now)
        for replica in self._replicas.all():
            if replica.send(beat):  # else: unreachable now, the next beat tries again
                self._metrics.beats.inc()

    def _listen(self, seconds: float) -> None:
        by_number = {r.socket.fileno(): r for r in self._replicas.all() if r.socket}
        waited_for = [self._bell, *by_number]
        readable, _, _ = select.select(waited_for, [], [], max(0.0, seconds))
        if self._bell in readable:
            os.eventfd_read(self._bell)
            self._beat()
            now = clock.now()
            self._hurry = [now + pause for pause in HURRY]
        for number, replica in by_number.items():
            if number in readable:  # or, if it was replaced just now, there is nothing in it
                self._drain(replica)

    def _drain(self, replica: Replica) -> None:
        for _ in range(TAKEN_AT_ONCE):
            now = clock.now()
            try:
                datagram = replica.receive(now)
            except OSError:  # a port-unreachable, or nothing more
                return
            self._take(replica, datagram, now)

    def _take(self, replica: Replica, datagram: AnyDatagram | None, now: float) -> None:
        if isinstance(datagram, Ack):
            self._acknowledged(datagram)
        elif isinstance(datagram, ProbeRequest) and datagram.scout == self._node:
            self._looks.take(datagram, replica.target, now, partial(self._reply, replica))
        else:
            reason = "unsigned" if datagram is None else "unexpected"
            self._metrics.drops.labels(reason).inc()

    def _reply(self, replica: Replica, sight: ProbeReport) -> None:
        replica.send(sight)  # asked again, if it matters

    def _acknowledged(self, ack: Ack) -> None:
        sent = self._sent.get(ack.seq)
        if ack.boot != self._boot or sent is None:
            return
        self._metrics.acks.inc()
        if ack.token and ack.token not in self._echoes:
            self._echoes = (*self._echoes, ack.token)[-MOST_ECHOES:]
            now = clock.now()
            if now - self._introduced >= INTRODUCED_EVERY:
                self._introduced = now
                self._beat()  # before that it is not heard there
        if not ack.leader:
            return
        before = self._acked
        acked = Acked(ack.seq, Contact(sent, ack.epoch, ack.generation))
        self._acked = after(before, acked, self.pulse.epoch)
        is_newer = ack.epoch > self.pulse.epoch or ack.generation > self.pulse.newest_read
        was_stale = self.is_stale
        if self._compare(self._acked.contact) or is_newer:
            self._hooks.on_newer()
        if is_news(before, self._acked, self._lifeline.limits) or self.is_stale != was_stale:
            self._hooks.on_contact()

    def _compare(self, contact: Contact) -> bool:
        """Whether the spec is to be read again, since a leader goes on naming another one."""
        read, now = (self.pulse.newest_epoch, self.pulse.newest_read), clock.now()
        self._differs = acknowledgements.difference(self._differs, contact, read, now)
        self.is_stale = acknowledgements.is_stale(self._differs, now)
        if not acknowledgements.must_ask(self._differs, now) or self._differs is None:
            return False
        self._differs = self._differs._replace(asked=now)
        return True
