"""Heartbeats: every 100 ms one datagram to every replica of the operator, and their answers.

The operator's failure detector suspects a node whose heartbeats stay away for some 0.15 s, has it
probed, and moves its addresses. The leader acknowledges each heartbeat, and an acknowledgement is
what lets this node activate addresses (rule A1, `core/fencing`). So the heartbeat thread

- waits for nothing but the clock and its sockets, and has a real-time priority where it can;
- feeds the watchdog after each heartbeat, under the rule of `core/watchdog_rule`;
- stops sending when the loop hangs: what a hung loop had active is mute by then, and no node would
  take it over from one that is heard;
- sends extra heartbeats when the spec has changed: what the spec grants cannot be activated before
  a leader has acknowledged it, and less being served lets other nodes go on;
- hands probe requests of the operator to their worker.

A replica counts only what names its token: it sends one, and the agent echoes it in every
heartbeat from then on, so that nobody can replay heartbeats to a replica that has just started.
"""

import logging
import os
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Thread

from duravip_agent import clock
from duravip_agent.clock import BootTime
from duravip_agent.control.replicas import Replica, Replicas, Resolver
from duravip_agent.core import acknowledgements
from duravip_agent.core.acknowledgements import AckedHeartbeat, changes_contact, newest_ack
from duravip_agent.core.watchdog_rule import LeaderContact
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.metrics import Metrics
from duravip_agent.segment.probe_requests import ProbeRequests
from duravip_api.heartbeat import Ack, AnyDatagram, Heartbeat, ProbeRequest
from duravip_api.timing import BEAT

log = logging.getLogger(__name__)

MAX_ECHOED_TOKENS = 8
"""Tokens that are echoed: more than there are replicas, those that ended included."""

RECEIVE_BATCH = 200
"""Datagrams of one replica that are handled before the clock is read again."""

ECHO_EVERY_S = 0.02
"""A new token is echoed at once, but not more often than this, in seconds."""

MAX_UNANSWERED = 50
"""An answer to an earlier heartbeat than that many ago is taken for a replay."""

EXTRA_HEARTBEATS_AFTER_S = (0.005, 0.01, 0.02, 0.04)
"""A new spec is reported at once and after these pauses, until an acknowledgement names it:
what it grants cannot be active before that (rule A1)."""


@dataclass(frozen=True, slots=True)
class HeartbeatContent:
    """What the next heartbeats say, and where they go."""

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


class HeartbeatSender:
    """What the heartbeats say is set from outside, as one value: `content`."""

    def __init__(
        self,
        node: str,
        boot: str,
        *,
        replicas: Replicas,
        watchdog: Watchdog,
        probe_requests: ProbeRequests,
        metrics: Metrics,
        on_newer: Callable[[], None],
        on_contact: Callable[[], None],
    ) -> None:
        """Neither callback may wait.

        `on_newer`: a leader goes by a newer spec than the one that was read.
        `on_contact`: something may be activated that could not be before.
        """
        self._node, self._boot = node, boot
        self._replicas, self._watchdog, self._metrics = replicas, watchdog, metrics
        self._probe_requests = probe_requests
        self._on_newer, self._on_contact = on_newer, on_contact
        self._resolver = Resolver()
        self._seq = 0
        self._sent: dict[int, BootTime] = {}
        """When the latest heartbeats were sent."""
        self._unconfirmed: set[int] = set()
        """Those of them that no leader has acknowledged."""
        self._extra_due: list[float] = []
        """When to beat beside the usual times."""
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._acked: AckedHeartbeat | None = None
        self._mismatch: acknowledgements.SpecMismatch | None = None
        self.is_stale = False
        """Whether a leader goes on naming another spec than the one that was read last."""
        self._echoes: tuple[str, ...] = ()
        self._started_at = self._read_at = clock.now()
        """When it began to beat; when the spec was last read again for want of a leader."""
        self._echoed_at = BootTime(0.0)
        """When a replica was last answered at once."""
        self.content = HeartbeatContent()
        self.refused_priority = ""
        """Why this thread is no more ahead than others; empty: it is."""

    @property
    def contact(self) -> LeaderContact | None:
        """The newest acknowledgement of a leader."""
        acked = self._acked
        return acked.contact if acked else None

    def start(self) -> None:
        """Begin to send heartbeats."""
        self._resolver.start()
        Thread(target=self._run, name="heartbeat", daemon=True).start()

    def change_boot(self, boot: str) -> None:
        """Name another boot from now on: no answer to an earlier heartbeat counts any more."""
        self._boot = self._probe_requests.boot = boot

    def send_now(self) -> None:
        """Beat now: there is a new spec to be acknowledged, or less is served."""
        os.eventfd_write(self._wake_fd, 1)

    def _run(self) -> None:
        self._raise_priority()
        due = clock.now()
        while True:
            try:
                due = self._turn(due)
            except Exception:
                log.exception("a beat failed, and is tried again")
                time.sleep(BEAT)

    def _raise_priority(self) -> None:
        """Be ahead of everything else on a busy node, where that is allowed.

        It needs CAP_SYS_NICE, and a kernel with CONFIG_RT_GROUP_SCHED gives a cgroup none of it
        unless cpu.rt_runtime_us is set there.
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

    def _turn(self, due: BootTime) -> BootTime:
        """Do what is due; gives back when the next regular beat is."""
        now = clock.now()
        if now >= due:
            due = BootTime(max(due + BEAT, now))
            self._send()
            self._watchdog.feed(self.contact)
            if acknowledgements.must_read_without_leader(
                self.contact, self._started_at, self._read_at, now
            ):
                self._read_at = now
                self._on_newer()
        elif self._extra_due and now >= self._extra_due[0]:
            self._send_extra(now)
        self._listen(min([due, *self._extra_due[:1]]) - clock.now())
        return due

    def _send_extra(self, now: BootTime) -> None:
        contact = self.contact
        if contact and contact.generation == self.content.generation:
            self._extra_due = []
            return
        self._extra_due = [at for at in self._extra_due if at > now]
        self._send()

    def _send(self) -> None:
        if self._watchdog.is_loop_hung():
            return
        content = self.content
        self._seq += 1
        says = (content.generation, content.digest, self._echoes, content.stopped)
        beat = Heartbeat(self._node, self._boot, self._seq, *says)
        now = clock.now()
        self._sent[self._seq] = now
        self._unconfirmed.add(self._seq)
        oldest = self._seq - MAX_UNANSWERED
        self._sent.pop(oldest, None)
        if oldest in self._unconfirmed:
            self._unconfirmed.remove(oldest)
            self._metrics.lost_beats.inc()
        self._replicas.update(self._resolver.resolved(content.targets), content.public_keys, now)
        for replica in self._replicas.all():
            if replica.send(beat):  # else: unreachable now, the next beat tries again
                self._metrics.beats.inc()

    def _listen(self, seconds: float) -> None:
        by_number = {r.socket.fileno(): r for r in self._replicas.all() if r.socket}
        waited_for = [self._wake_fd, *by_number]
        readable, _, _ = select.select(waited_for, [], [], max(0.0, seconds))
        if self._wake_fd in readable:
            os.eventfd_read(self._wake_fd)
            self._send()
            now = clock.now()
            self._extra_due = [now + pause for pause in EXTRA_HEARTBEATS_AFTER_S]
        for number, replica in by_number.items():
            if number in readable:  # or, if it was replaced just now, there is nothing in it
                self._drain(replica)

    def _drain(self, replica: Replica) -> None:
        for _ in range(RECEIVE_BATCH):
            now = clock.now()
            try:
                datagram = replica.receive(now)
            except OSError:  # a port-unreachable, or nothing more
                return
            self._handle(replica, datagram, now)

    def _handle(self, replica: Replica, datagram: AnyDatagram | None, now: BootTime) -> None:
        if isinstance(datagram, Ack):
            self._acknowledged(datagram)
        elif isinstance(datagram, ProbeRequest) and datagram.scout == self._node:
            # A report that cannot be sent is asked for again, if it matters.
            self._probe_requests.handle(datagram, replica.target, now, replica.send)
        else:
            reason = "unsigned" if datagram is None else "unexpected"
            self._metrics.drops.labels(reason).inc()

    def _acknowledged(self, ack: Ack) -> None:
        sent = self._sent.get(ack.seq)
        if ack.boot != self._boot or sent is None:
            return
        self._metrics.acks.inc()
        if ack.token and ack.token not in self._echoes:
            self._echoes = (*self._echoes, ack.token)[-MAX_ECHOED_TOKENS:]
            now = clock.now()
            if now - self._echoed_at >= ECHO_EVERY_S:
                self._echoed_at = now
                self._send()  # before that it is not heard there
        if not ack.leader:
            return
        self._unconfirmed.discard(ack.seq)
        before = self._acked
        acked = AckedHeartbeat(ack.seq, LeaderContact(sent, ack.epoch, ack.generation))
        self._acked = newest_ack(before, acked, self.content.epoch)
        is_newer = ack.epoch > self.content.epoch or ack.generation > self.content.newest_read
        was_stale = self.is_stale
        if self._spec_differs(self._acked.contact) or is_newer:
            self._on_newer()
        if (
            changes_contact(before, self._acked, self._watchdog.timeouts)
            or self.is_stale != was_stale
        ):
            self._on_contact()

    def _spec_differs(self, contact: LeaderContact) -> bool:
        """Whether the spec is to be read again, since a leader goes on naming another one."""
        read, now = (self.content.newest_epoch, self.content.newest_read), clock.now()
        self._mismatch = acknowledgements.spec_mismatch(self._mismatch, contact, read, now)
        self.is_stale = acknowledgements.is_stale(self._mismatch, now)
        if not acknowledgements.must_reread(self._mismatch, now) or self._mismatch is None:
            return False
        self._mismatch = self._mismatch._replace(asked=now)
        return True
