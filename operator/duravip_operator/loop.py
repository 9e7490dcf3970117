"""The operator's loop: look at everything, decide, write the difference, look again.

One pass at a time, and only by the leader. What a pass did not manage, because the API server
was away or somebody else wrote first, the next one finds and does.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from duravip_api import timing
from duravip_operator import leadership
from duravip_operator.core import decision, handover, nodeplumbing_spec, releases
from duravip_operator.core.snapshot import Plumbing, Snapshot
from duravip_operator.kube import KubeWriter
from duravip_operator.kube.spec_writes import SpecWrites
from duravip_operator.metrics import Metrics
from duravip_operator.node_health import Vigil
from duravip_operator.pulse import PulseClient, PulseFeed
from duravip_operator.settings import Settings
from duravip_operator.snapshot_builder import Outlook
from duravip_operator.status_reporter import Reporting
from duravip_operator.watch.store import Store
from duravip_runtime import gc_tuning
from duravip_runtime.api_error import ApiError

log = logging.getLogger(__name__)

DEBOUNCE = 0.005
"""Events that come within this many seconds of one another are answered by one pass."""

PATIENCE = 0.5
"""A pass after our own writes waits for so long: when nodes have let go, or have taken, they say
so before there is anything else to decide. While thousands are taken it would be in their way."""

WORST_PAUSE = 5.0
"""The longest pause after passes that failed, in seconds."""


@dataclass(frozen=True)
class Parts:
    """What the loop looks at and writes through."""

    settings: Settings
    caches: Store
    pulse: PulseClient
    elector: leadership.Elector
    members: leadership.Replicas
    cluster: KubeWriter
    reporting: Reporting
    metrics: Metrics
    vigil: Vigil


class Loop:
    """Runs passes until it is told to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._wake = asyncio.Event()
        self._memory: releases.ReleaseRecords = {}
        self._last_plans: dict[str, handover.Plan] = {}
        """What each NodePlumbing granted when it was seen last, by whoever leads."""
        self._keyed: dict[str, tuple[str, ...]] = {}
        """The keys of replicas that we have written into each NodePlumbing."""
        self._epoch: int | None = None
        self._restorations = 0
        self._followers: frozenset[str] = frozenset()
        """The addresses that go where another one is."""
        self._must_hurry = False
        """Something was taken from a node that does not serve it: the next pass may grant it."""
        self._decided: decision.Decision | None = None
        self._balance_timer = BalanceTimer(parts.settings)
        self._outlook = Outlook(parts.settings, parts.caches, parts.pulse, parts.vigil)
        self._writes = SpecWrites(self.wake)
        self._briefing = PulseFeed(parts.pulse, parts.settings.pulse_advertise)
        self._garbage = gc_tuning.GcTuning()

    def wake(self) -> None:
        """Something changed: make a pass soon."""
        self._wake.set()

    def hear(self, node: str) -> None:
        """A beat of this node says something new: maybe what a hand-over waits for."""
        plumbing = self._parts.caches.plumbings.get(node)
        said = self._parts.pulse.beats().get(node)
        if plumbing and plumbing.stopped and said and said.stopped:
            self.wake()  # it was taken for one that is about to end
        is_awaited = self._decided is not None and self._decided.waiting
        if is_awaited and plumbing and self._outlook.has_let_go(plumbing):
            self._must_hurry = True
            self.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Make a pass whenever something changed, when a round is due, and every 30 s."""
        pause = 0.0
        while not stop.is_set():
            await self._woken(stop)
            await asyncio.sleep(0 if self._must_hurry else DEBOUNCE + pause)
            self._wake.clear()
            try:
                await self._pass()
                pause = 0.0
            except Exception as error:
                self._memory = releases.forget_releases(self._memory)
                pause = min(WORST_PAUSE, 2 * pause + 0.1)
                is_bug = not isinstance(error, ApiError)
                level = logging.ERROR if is_bug else logging.WARNING
                said = "a pass failed: %s; the next one comes in %.1f s"
                log.log(level, said, error, pause, exc_info=is_bug)
                self.wake()

    async def _woken(self, stop: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._wake, stop)]
        longest = min(timing.SWEEP, self._parts.settings.balance_interval)
        first = asyncio.FIRST_COMPLETED
        done, _ = await asyncio.wait(waits, timeout=gc_tuning.IDLE_S, return_when=first)
        if not done:
            self._garbage.collect_when_idle()
            await asyncio.wait(waits, timeout=longest - gc_tuning.IDLE_S, return_when=first)
        for wait in waits:
            wait.cancel()

    async def _pass(self) -> None:
        parts = self._parts
        epoch = parts.elector.epoch
        self._briefing.update(epoch, parts.caches.plumbings)
        self._note_leadership(epoch)
        known = parts.caches.plumbings
        self._last_plans |= {name: handover.current_plan(found) for name, found in known.items()}
        is_next, self._must_hurry = self._must_hurry, False
        if epoch is None or not parts.caches.has_synced:
            return
        if is_next and self._decided:
            await self._go_on(self._decided, epoch)
            self.wake()
            return
        with parts.metrics.pass_seconds.time():
            snapshot = self._look(self._balance_timer.moves_allowed())
            if await self._prepare(snapshot, epoch) or not self._outlook.has_settled(snapshot):
                return
            self._decided = decision.decide(snapshot, self._memory, self._decided)
            self._memory = releases.limit_to_owned(self._memory, self._decided.assignments)
        await self._grant(snapshot, self._decided.plans, epoch)
        while self._must_hurry:
            self._must_hurry = False
            parts.reporting.note(snapshot, self._decided)
            snapshot = await self._go_on(self._decided, epoch)
        await parts.reporting.report(snapshot, self._decided, lambda: self._must_hurry)

    async def _go_on(self, begun: decision.Decision, epoch: int) -> Snapshot:
        """What a node has let go, or was taken out of a dead one's spec, goes to whom was chosen.

        What people ask for since is for the next pass.
        """
        vips, topologies = begun.inputs[:2]
        snapshot = replace(self._look(), vips=vips, topologies=topologies)
        self._decided = decision.continue_handover(begun, snapshot, self._memory)
        await self._grant(snapshot, self._decided.plans, epoch)
        return snapshot

    def _look(self, balance: int | None = None) -> Snapshot:
        snapshot = self._outlook.snapshot(balance)
        self._followers = frozenset(e.address for e in snapshot.vips if e.follow)
        if pending := self._writes.unanswered_grants(snapshot.plumbings):
            snapshot = replace(snapshot, pending_grants=pending)
        self._memory = releases.update_records(self._memory, snapshot)
        return snapshot

    def _note_leadership(self, epoch: int | None) -> None:
        if epoch == self._epoch:
            return
        self._epoch = epoch
        self._memory, self._decided = {}, None
        if epoch is not None:
            restore_count = self._parts.caches.restore_count
            is_restored = restore_count != self._restorations
            self._outlook.restored_in = epoch if is_restored else None
            self._restorations = restore_count
        self._parts.reporting.forget(epoch)
        self._parts.metrics.lead(epoch)
        log.info("not leading" if epoch is None else f"leading with epoch {epoch}")
        if epoch is not None:  # what the former leader has given up is not given back
            self._parts.vigil.look(time.monotonic())

    async def _prepare(self, snapshot: Snapshot, epoch: int) -> bool:
        """One NodePlumbing a Node, and our epoch in every one; whether the rest must wait.

        A former leader may still write what is not stamped; and what somebody has deleted by hand
        gets its grants back before others get them.
        """
        is_restored = self._outlook.restored_in is not None
        stamped = [p for p in snapshot.plumbings.values() if p.epoch != epoch]
        for plumbing in stamped:
            self._replace(
                plumbing, handover.restamped_plan(plumbing, is_restored=is_restored), epoch
            )
        # Before that a former leader may still grant elsewhere what is missing here.
        missing = (
            {}
            if stamped
            else nodeplumbing_spec.to_create(snapshot, self._last_plans, self._memory)
        )
        cluster = self._parts.cluster
        must_wait = bool(stamped)
        for name, plan in missing.items():
            spec = self._spec(plan, epoch)
            spec |= nodeplumbing_spec.unconfirmed_field_of_new(
                name, self._last_plans, snapshot, self._memory
            )
            make = partial(cluster.urgent, self._create, name, spec)
            is_begun = self._writes.start(Plumbing(name), plan.addresses, make)
            must_wait |= is_begun or bool(plan.addresses)
        for plumbing in nodeplumbing_spec.to_delete(snapshot, self._memory):
            drop = partial(cluster.urgent, cluster.delete_plumbing, plumbing, epoch)
            self._writes.start(plumbing, plumbing.granted, drop)
        is_done = await self._writes.wait_briefly()
        if (missing or stamped) and is_done:
            self.wake()
        return must_wait

    async def _grant(
        self, snapshot: Snapshot, plans: Mapping[str, handover.Plan], epoch: int
    ) -> None:
        """Write every spec that differs, all at once."""
        is_any = is_late = False
        for name, plumbing in snapshot.plumbings.items():
            if not plans[name].is_in(plumbing) or not self._is_told(plumbing):
                is_begun = self._replace(plumbing, plans[name], epoch)
                is_any, is_late = is_any or is_begun, is_late or not is_begun
        if is_any:
            is_done = await self._writes.wait_briefly()
            if is_late and is_done:
                self.wake()  # what was still under way is not any more
            asyncio.get_running_loop().call_later(PATIENCE, self.wake)

    def _replace(self, plumbing: Plumbing, plan: handover.Plan, epoch: int) -> bool:
        """Begin to write a spec, unless an earlier one of the node is still under way."""
        left = releases.unconfirmed_after(self._memory, plumbing, plan.addresses)
        spec = self._spec(plan, epoch) | nodeplumbing_spec.unconfirmed_field(plumbing, plan, left)
        return self._writes.start(plumbing, plan.addresses, partial(self._write, plumbing, spec))

    async def _write(self, plumbing: Plumbing, spec: dict[str, Any]) -> None:
        during = partial(self._parts.caches.suppress_echo, plumbing.node)
        after = await self._parts.cluster.replace_spec(plumbing, spec, during)
        if after is None:
            log.info("NodePlumbing %s was written by somebody else: looking again", plumbing.node)
            await asyncio.to_thread(self._parts.caches.reread, plumbing.node)
            return
        self._memory = releases.after_write(self._memory, plumbing, after)
        self._parts.caches.apply_own_write(after)
        self._keyed[after.node] = after.pulse_keys
        self._last_plans[after.node] = handover.current_plan(after)
        # The agent is told at once.
        self._briefing.update_generations(self._parts.elector.epoch, self._parts.caches.plumbings)
        if plumbing.stopped or plumbing.node in self._parts.pulse.view().silences:
            self._must_hurry |= not plumbing.granted <= after.granted
        _log_change(plumbing, after)

    def _create(self, name: str, spec: dict[str, Any]) -> None:
        """A NodePlumbing for a Node; one that was deleted by hand gets its grants back."""
        self._parts.cluster.create_plumbing(name, spec)
        log.info("made NodePlumbing %s with %d addresses", name, spec["grantedCount"])

    def _spec(self, plan: handover.Plan, epoch: int) -> dict[str, Any]:
        addresses, keys = self._replicas
        plan = replace(plan, followers=self._followers)
        return nodeplumbing_spec.build(plan, epoch, addresses, self._ports, keys)

    def _is_told(self, plumbing: Plumbing) -> bool:
        """Whether an agent knows where to send its beats, by whose keys, and what to look at."""
        addresses, keys = self._replicas
        if (plumbing.pulse, plumbing.ports) != (addresses, self._ports):
            return False
        # A server whose kind is of an older version drops the keys: writing on would not help.
        is_dropped = not plumbing.pulse_keys and self._keyed.get(plumbing.node) == keys
        return plumbing.pulse_keys == keys or is_dropped

    @property
    def _replicas(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The addresses of all replicas, and their public keys in the same order."""
        replicas = self._parts.members.replicas()
        return tuple(r.address for r in replicas), tuple(r.public_key for r in replicas)

    @property
    def _ports(self) -> tuple[str, ...]:
        """What agents are to look at; before the first decision: what they were told last."""
        if self._decided:
            return self._decided.demand.ports
        told = [plumbing.ports for plumbing in self._parts.caches.plumbings.values()]
        return max(told, key=len, default=())


class BalanceTimer:
    """Says in which passes addresses may move to even out the load: one in every interval.

    A pass that finds the cluster unsettled moves nothing; the next one does not make up for it.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._size = settings.balance_interval, settings.balance_set_size
        self._clock = clock
        self._next = clock() + self._interval

    def moves_allowed(self) -> int | None:
        """How many addresses the pass that begins now may move; None: it does not balance."""
        now = self._clock()
        if now < self._next:
            return None
        self._next = now + self._interval
        return self._size


def _log_change(before: Plumbing, after: Plumbing) -> None:
    gained, lost = after.granted - before.granted, before.granted - after.granted
    if gained or lost:
        counts = (len(gained), len(lost), len(after.granted))
        log.info("node %s: granted %d, taken out %d, now %d", after.node, *counts)
