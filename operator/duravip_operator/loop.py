"""The operator's loop: look at everything, decide, write the difference, look again.

One pass at a time, and only by the leader. What a pass did not manage, because the API server
was away or somebody else wrote first, the next one finds and does.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from duravip_api import timing
from duravip_operator import cluster, leadership, metrics, rounds
from duravip_operator.caches import Caches
from duravip_operator.core import decision, handover, specs
from duravip_operator.core.snapshot import Hearing, Plumbing, Snapshot
from duravip_operator.pulse import Entry, Pulse, entry_of
from duravip_operator.reporting import Reporting
from duravip_operator.settings import Settings
from duravip_operator.vigil import Vigil

log = logging.getLogger(__name__)

DEBOUNCE = 0.005
"""Events that come within this many seconds of one another are answered by one pass."""

SETTLED_AFTER = 1.0
"""A cold replica waits for so long more than a node needs to grow mature, in seconds."""

WORST_PAUSE = 5.0
"""The longest pause after passes that failed, in seconds."""


@dataclass(frozen=True)
class Parts:
    """What the loop looks at and writes through."""

    settings: Settings
    caches: Caches
    pulse: Pulse
    elector: leadership.Elector
    members: leadership.Members
    cluster: cluster.Cluster
    reporting: Reporting
    metrics: metrics.Metrics
    vigil: Vigil


class Loop:
    """Runs passes until it is told to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._wake = asyncio.Event()
        self._memory: handover.Memory = {}
        self._last_plans: dict[str, handover.Plan] = {}
        self._roster: dict[str, tuple[Plumbing, Entry]] = {}
        self._epoch: int | None = None
        self._must_hurry = False
        """Something was taken from a node that does not serve it: the next pass may grant it."""
        self._decided: decision.Decision | None = None
        self._started = time.monotonic()
        self._is_settled = False
        self._rounds = rounds.Rounds(parts.settings)

    def wake(self) -> None:
        """Something changed: make a pass soon."""
        self._wake.set()

    def hear(self, node: str) -> None:
        """A beat of this node says something new: maybe what a hand-over waits for."""
        plumbing = self._parts.caches.plumbings.get(node)
        if plumbing and not plumbing.acted and self._has_let_go(plumbing):
            self._must_hurry = True
            self.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Make a pass whenever something changed, when a round is due, and every 30 s."""
        pause = 0.0
        while not stop.is_set():
            await self._woken(stop)
            await asyncio.sleep(0 if self._must_hurry else DEBOUNCE + pause)
            self._must_hurry = False
            self._wake.clear()
            try:
                await self._pass()
                pause = 0.0
            except Exception:
                pause = min(WORST_PAUSE, 2 * pause + 0.1)
                log.exception("a pass failed; the next one comes in %.1f s", pause)
                self.wake()

    async def _woken(self, stop: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._wake, stop)]
        longest = min(timing.SWEEP, self._parts.settings.balance_interval)
        await asyncio.wait(waits, timeout=longest, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _pass(self) -> None:
        parts = self._parts
        epoch = parts.elector.epoch
        self._tell_pulse(epoch)
        self._note_leadership(epoch)
        if epoch is None or not parts.caches.is_warm:
            return
        with parts.metrics.pass_seconds.time():
            snapshot = self._snapshot()
            self._memory = handover.remembered(self._memory, snapshot)
            if await self._prepare(snapshot, epoch) or not self._has_settled(snapshot):
                return
            decided = decision.decided(snapshot, self._memory, self._decided)
        self._decided = decided
        await self._grant(snapshot, decided.plans, epoch)
        say = parts.reporting.note if self._must_hurry else parts.reporting.report
        say(snapshot, decided)

    def _tell_pulse(self, epoch: int | None) -> None:
        """Who is to be heard, where they are, and which spec each of them should know of."""
        plumbings, pulse = self._parts.caches.plumbings, self._parts.pulse
        known, self._roster = self._roster, {}
        for name, plumbing in plumbings.items():
            entry = known.get(name)
            is_same = entry is not None and entry[0] is plumbing
            self._roster[name] = entry if entry and is_same else (plumbing, entry_of(plumbing))
        pulse.expect(frozenset(n for n, p in plumbings.items() if self._reaches_us(p)))
        pulse.tell(
            epoch,
            {name: plumbing.generation for name, plumbing in plumbings.items()},
            {name: entry for name, (_, entry) in self._roster.items()},
        )

    def _has_settled(self, snapshot: Snapshot) -> bool:
        """Whether this replica has listened for long enough to know who is there.

        A cold one waits for that once, so that the first node to be heard does not get everything.
        """
        settings = self._parts.settings
        waited = time.monotonic() - self._started >= settings.mature + SETTLED_AFTER
        unsure = {Hearing.UNHEARD, Hearing.YOUNG}
        heard = (snapshot.hearing.get(n, Hearing.UNHEARD) for n in snapshot.plumbings)
        self._is_settled |= waited or unsure.isdisjoint(heard)
        return self._is_settled

    def _has_let_go(self, plumbing: Plumbing) -> bool:
        heard = self._parts.pulse.beats().get(plumbing.node)
        return heard is not None and not plumbing.acted and handover.has_let_go(plumbing, heard)

    def _reaches_us(self, plumbing: Plumbing) -> bool:
        return self._parts.settings.pulse_advertise in plumbing.pulse

    def _note_leadership(self, epoch: int | None) -> None:
        if epoch == self._epoch:
            return
        self._epoch = epoch
        self._memory = {}
        self._parts.reporting.forget()
        self._parts.metrics.lead(epoch)
        log.info("not leading" if epoch is None else f"leading with epoch {epoch}")

    def _snapshot(self) -> Snapshot:
        caches, pulse = self._parts.caches, self._parts.pulse.view()
        return Snapshot(
            entities=tuple(caches.entities.values()),
            topologies=tuple(caches.topologies.values()),
            nodes=dict(caches.nodes),
            plumbings=dict(caches.plumbings),
            hearing=dict(pulse.hearing),
            silences=dict(pulse.silences),
            witnessed=dict(pulse.witnessed),
            given_up=self._parts.vigil.given_up,
            distrusted=self._parts.vigil.distrusted,
            let_go=frozenset(n for n, p in caches.plumbings.items() if self._has_let_go(p)),
            fencing=self._parts.settings.fencing,
            max_aliases=self._parts.settings.max_aliases,
            balance=self._rounds.due(),
        )

    async def _prepare(self, snapshot: Snapshot, epoch: int) -> bool:
        """One NodePlumbing a Node, and our epoch in every one; whether that took any writing."""
        made = [
            self._parts.cluster.hot(self._create, name, epoch)
            for name in snapshot.nodes
            if name not in snapshot.plumbings
        ]
        stamped = [
            self._replace(plumbing, handover.standing(plumbing), epoch)
            for plumbing in snapshot.plumbings.values()
            if plumbing.epoch != epoch
        ]
        dropped = [
            self._parts.cluster.hot(self._parts.cluster.delete_plumbing, plumbing)
            for name, plumbing in snapshot.plumbings.items()
            if name not in snapshot.nodes and handover.is_spent(snapshot, plumbing)
        ]
        await asyncio.gather(*made, *stamped, *dropped)
        if made or stamped:
            self.wake()
        return bool(made or stamped)

    async def _grant(
        self, snapshot: Snapshot, plans: Mapping[str, handover.Plan], epoch: int
    ) -> None:
        """Write every spec that differs, all at once."""
        told = (self._parts.members.addresses(), self._ports)
        writes = []
        for name, plumbing in snapshot.plumbings.items():
            self._last_plans[name] = handover.standing(plumbing)
            if not plans[name].is_in(plumbing) or (plumbing.pulse, plumbing.ports) != told:
                writes.append(self._replace(plumbing, plans[name], epoch))
        if writes:
            await asyncio.gather(*writes)
            self.wake()

    async def _replace(self, plumbing: Plumbing, plan: handover.Plan, epoch: int) -> None:
        spec = specs.spec(plan, epoch, self._parts.members.addresses(), self._ports)
        after = await self._parts.cluster.hot(self._parts.cluster.write_spec, plumbing, spec)
        if after is None:
            log.info("NodePlumbing %s was written by somebody else: looking again", plumbing.node)
            await asyncio.to_thread(self._parts.caches.refresh, plumbing.node)
            return
        self._memory = handover.after_write(self._memory, plumbing, after)
        self._parts.caches.adopt(after)
        self._tell_pulse(self._parts.elector.epoch)  # the agent is told at once
        if plumbing.stopped or plumbing.node in self._parts.pulse.view().silences:
            self._must_hurry |= not plumbing.granted <= after.granted
        _log_change(plumbing, after)

    def _create(self, name: str, epoch: int) -> None:
        """A NodePlumbing for a Node; one that was deleted by hand gets its grants back."""
        plan = self._last_plans.get(name, handover.Plan())
        spec = specs.spec(plan, epoch, self._parts.members.addresses(), self._ports)
        self._parts.cluster.create_plumbing(name, spec)
        log.info("made NodePlumbing %s with %d addresses", name, spec["grantedCount"])

    @property
    def _ports(self) -> tuple[str, ...]:
        """What agents are to look at; before the first decision: what they were told last."""
        if self._decided:
            return self._decided.wanted.ports
        told = [plumbing.ports for plumbing in self._parts.caches.plumbings.values()]
        return max(told, key=len, default=())


def _log_change(before: Plumbing, after: Plumbing) -> None:
    gained, lost = after.granted - before.granted, before.granted - after.granted
    if gained or lost:
        counts = (len(gained), len(lost), len(after.granted))
        log.info("node %s: granted %d, taken out %d, now %d", after.node, *counts)
