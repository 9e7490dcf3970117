"""The reconcile loop: build a snapshot, decide, write the difference, look again.

The loop is level-triggered. Watches, heartbeats and timers only request a pass; what a pass does
follows from the snapshot and not from the event. Requests that come within DEBOUNCE_S are answered
by one pass; edits wait a little longer after one (`pass_requests`). Passes never overlap, and only
the leader writes.

A pass has four steps. It stamps its epoch into every NodePlumbing, so that no former leader can
write any more; it decides; it writes every spec that differs, all at once; it reports statuses.
What it could not do, because the API server was away or somebody else wrote first, the next pass
finds and does. A pass that raises is repeated after a growing pause.

A hand-over takes two writes: one takes the address out of the spec of its former holder, the other
grants it to the new one once the first has let go. The second does not wait for a new decision:
while `_continue_now` is set, the last decision is carried on, ahead of the status report.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from duravip_api import timing
from duravip_operator.core import decision, handover, nodeplumbing_spec, readiness, releases
from duravip_operator.core.snapshot import Plumbing, Snapshot
from duravip_operator.kube import KubeWriter
from duravip_operator.kube.spec_writes import SpecWrites
from duravip_operator.leadership import Elector, Replicas
from duravip_operator.metrics import Metrics
from duravip_operator.node_health import NodeHealthMonitor
from duravip_operator.pass_requests import PassRequests
from duravip_operator.pulse import PulseClient, PulseFeed
from duravip_operator.service_reconciler import ServiceReconciler
from duravip_operator.settings import Settings
from duravip_operator.snapshot_builder import SnapshotBuilder
from duravip_operator.status_reporter import StatusReporter
from duravip_operator.watch.endpoint_slices import EndpointSlices
from duravip_operator.watch.store import Store
from duravip_runtime import gc_tuning
from duravip_runtime.api_error import ApiError

log = logging.getLogger(__name__)

DEBOUNCE_S = 0.005
"""Events that come within this many seconds of one another are answered by one pass."""

SETTLE_AFTER_WRITE_S = 0.5
"""A pass after our own writes waits for so long: when nodes have let go, or have taken, they say
so before there is anything else to decide. While thousands are taken it would be in their way."""

MAX_BACKOFF_S = 5.0
"""The longest pause after passes that failed, in seconds."""


class Loop:
    """Runs passes until it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        requests: PassRequests,
        *,
        store: Store,
        endpoints: EndpointSlices,
        pulse: PulseClient,
        elector: Elector,
        replicas: Replicas,
        writer: KubeWriter,
        reporter: StatusReporter,
        metrics: Metrics,
        node_health: NodeHealthMonitor,
        services: ServiceReconciler,
    ) -> None:
        """Whoever has something new to decide from asks for a pass by `requests`."""
        self._settings, self._requests = settings, requests
        self._store, self._endpoints, self._pulse = store, endpoints, pulse
        self._elector, self._replicas = elector, replicas
        self._writer, self._reporter = writer, reporter
        self._metrics, self._node_health = metrics, node_health
        self._services = services
        self._releases: releases.ReleaseRecords = {}
        self._last_plans: dict[str, handover.Plan] = {}
        """What each NodePlumbing granted when it was seen last, by whoever leads."""
        self._written: dict[str, Plumbing] = {}
        """Each NodePlumbing with the spec that we have written last."""
        self._epoch: int | None = None
        self._restore_count = 0
        self._followers: frozenset[str] = frozenset()
        """The addresses that go where another one is."""
        self._continue_now = False
        """Something was taken from a node that does not serve it: the next pass may grant it."""
        self._last_decision: decision.Decision | None = None
        self._balance_timer = BalanceTimer(self._settings)
        self._snapshots = SnapshotBuilder(
            self._settings,
            self._store,
            self._pulse,
            self._node_health,
            services=self._endpoints.table,
        )
        self._due: asyncio.TimerHandle | None = None
        self._writes = SpecWrites(self.request_pass)
        self._pulse_feed = PulseFeed(self._pulse, self._settings.pulse_advertise)
        self._gc_tuning = gc_tuning.GcTuning()
        pulse.on_heartbeat = self.on_heartbeat

    def request_pass(self) -> None:
        """Something changed: make a pass soon."""
        self._requests.at_once()

    def on_heartbeat(self, node: str) -> None:
        """A beat of this node says something new: maybe what a hand-over waits for."""
        plumbing = self._store.plumbings.get(node)
        said = self._pulse.beats().get(node)
        if plumbing and plumbing.stopped and said and said.stopped:
            self.request_pass()  # it was taken for one that is about to end
        is_awaited = self._last_decision is not None and self._last_decision.waiting
        if is_awaited and plumbing and self._snapshots.confirmed_release_by_heartbeat(plumbing):
            self._continue_now = True
            self.request_pass()

    async def run(self, stop: asyncio.Event) -> None:
        """Make a pass whenever something changed, when a round is due, and every 30 s."""
        pause = 0.0
        most = min(timing.SWEEP, self._settings.balance_interval or timing.SWEEP)
        while not stop.is_set():
            await self._requests.wait(stop, self._gc_tuning.collect_when_idle, most)
            await asyncio.sleep(0 if self._continue_now else DEBOUNCE_S + pause)
            self._requests.clear()
            began = time.monotonic()
            try:
                await self._pass()
                pause = 0.0
            except Exception as error:
                self._releases = releases.forget_releases(self._releases)
                pause = min(MAX_BACKOFF_S, 2 * pause + 0.1)
                is_bug = not isinstance(error, ApiError)
                level = logging.ERROR if is_bug else logging.WARNING
                said = "a pass failed: %s; the next one comes in %.1f s"
                log.log(level, said, error, pause, exc_info=is_bug)
                self.request_pass()
            self._requests.rest_after(time.monotonic() - began)

    async def _pass(self) -> None:
        epoch = self._elector.epoch
        if self._store.has_synced:
            self._endpoints.follow(_named_services(self._store))
        self._pulse_feed.update(epoch, self._store.plumbings)
        self._update_leadership(epoch)
        known = self._store.plumbings
        self._last_plans |= {name: handover.current_plan(found) for name, found in known.items()}
        is_next, self._continue_now = self._continue_now, False
        if epoch is None or not (self._store.has_synced and self._endpoints.has_synced):
            return
        if is_next and self._last_decision:
            await self._continue_handover(self._last_decision, epoch)
            self.request_pass()
            return
        with self._metrics.pass_seconds.time():
            snapshot = self._take_snapshot(self._balance_timer.moves_allowed())
            if await self._prepare_specs(snapshot, epoch) or not self._snapshots.warmup_done(
                snapshot
            ):
                return
            self._last_decision = decision.decide(snapshot, self._releases, self._last_decision)
            self._releases = releases.limit_to_owned(
                self._releases, self._last_decision.assignments
            )
        readiness_due = self._snapshots.record_moves(self._last_decision)
        await self._write_plans(snapshot, self._last_decision.plans, epoch)
        while self._continue_now:
            self._continue_now = False
            self._reporter.record(snapshot, self._last_decision)
            snapshot = await self._continue_handover(self._last_decision, epoch)
        self._pass_when_due(min(readiness_due, self._last_decision.next_return))
        await self._reporter.report(snapshot, self._last_decision, lambda: self._continue_now)

    def _pass_when_due(self, due: float) -> None:
        """Make a pass at this time of the steady clock, unless one comes before in any case."""
        if self._due is not None:
            self._due.cancel()
        loop = asyncio.get_running_loop()
        is_soon = due < loop.time() + timing.SWEEP
        self._due = loop.call_at(due, self.request_pass) if is_soon else None

    async def _continue_handover(self, begun: decision.Decision, epoch: int) -> Snapshot:
        """What a node has let go, or was taken out of a dead one's spec, goes to whom was chosen.

        What people ask for since is for the next pass.
        """
        vips, topologies = begun.inputs[:2]
        snapshot = replace(self._take_snapshot(), vips=vips, topologies=topologies)
        self._last_decision = decision.continue_handover(begun, snapshot, self._releases)
        await self._write_plans(snapshot, self._last_decision.plans, epoch)
        return snapshot

    def _take_snapshot(self, balance: int | None = None) -> Snapshot:
        snapshot = self._snapshots.build(balance)
        self._followers = frozenset(e.address for e in snapshot.vips if e.follow)
        if pending := self._writes.unanswered_grants(snapshot.plumbings):
            snapshot = replace(snapshot, pending_grants=pending)
        self._releases = releases.update_records(self._releases, snapshot)
        return snapshot

    def _update_leadership(self, epoch: int | None) -> None:
        if epoch == self._epoch:
            return
        self._epoch = epoch
        self._releases, self._last_decision = {}, None
        self._snapshots.forget_stability()
        if epoch is not None:
            restore_count = self._store.restore_count
            is_restored = restore_count != self._restore_count
            self._snapshots.restored_in = epoch if is_restored else None
            self._restore_count = restore_count
        self._reporter.reset(epoch)
        self._services.lead(epoch)
        self._metrics.lead(epoch)
        log.info("not leading" if epoch is None else f"leading with epoch {epoch}")
        if epoch is not None:  # what the former leader has given up is not given back
            self._node_health.check(time.monotonic())

    async def _prepare_specs(self, snapshot: Snapshot, epoch: int) -> bool:
        """One NodePlumbing a Node, and our epoch in every one; whether the rest must wait.

        A former leader may still write what is not stamped; and what somebody has deleted by hand
        gets its grants back before others get them.
        """
        is_restored = self._snapshots.restored_in is not None
        stamped = [p for p in snapshot.plumbings.values() if p.epoch != epoch]
        for plumbing in stamped:
            self._replace_spec(
                plumbing, handover.restamped_plan(plumbing, is_restored=is_restored), epoch
            )
        # Before that a former leader may still grant elsewhere what is missing here.
        missing = (
            {}
            if stamped
            else nodeplumbing_spec.to_create(snapshot, self._last_plans, self._releases)
        )
        must_wait = bool(stamped)
        for name, plan in missing.items():
            spec = self._spec(Plumbing(name), plan, epoch)
            spec |= nodeplumbing_spec.unconfirmed_field_of_new(
                name, self._last_plans, snapshot, self._releases
            )
            make = partial(self._writer.urgent, self._create_nodeplumbing, name, spec)
            is_begun = self._writes.start(Plumbing(name), plan.addresses, make)
            must_wait |= is_begun or bool(plan.addresses)
        for plumbing in nodeplumbing_spec.to_delete(snapshot, self._releases):
            drop = partial(self._writer.urgent, self._writer.delete_plumbing, plumbing, epoch)
            self._writes.start(plumbing, plumbing.granted, drop)
        is_done = await self._writes.wait_briefly()
        if (missing or stamped) and is_done:
            self.request_pass()
        return must_wait

    async def _write_plans(
        self, snapshot: Snapshot, plans: Mapping[str, handover.Plan], epoch: int
    ) -> None:
        """Write every spec that differs, all at once."""
        is_any = is_late = False
        for name, plumbing in snapshot.plumbings.items():
            if not plans[name].is_in(plumbing) or not self._is_current(plumbing):
                is_begun = self._replace_spec(plumbing, plans[name], epoch)
                is_any, is_late = is_any or is_begun, is_late or not is_begun
        if is_any:
            is_done = await self._writes.wait_briefly()
            if is_late and is_done:
                self.request_pass()  # what was still under way is not any more
            asyncio.get_running_loop().call_later(SETTLE_AFTER_WRITE_S, self._requests.soon)

    def _replace_spec(self, plumbing: Plumbing, plan: handover.Plan, epoch: int) -> bool:
        """Begin to write a spec, unless an earlier one of the node is still under way."""
        left = releases.unconfirmed_after(self._releases, plumbing, plan.addresses)
        spec = self._spec(plumbing, plan, epoch) | nodeplumbing_spec.unconfirmed_field(
            plumbing, plan, left
        )
        return self._writes.start(
            plumbing, plan.addresses, partial(self._write_spec, plumbing, spec)
        )

    async def _write_spec(self, plumbing: Plumbing, spec: dict[str, Any]) -> None:
        during = partial(self._store.suppress_echo, plumbing.node)
        after = await self._writer.replace_spec(plumbing, spec, during)
        if after is None:
            log.info("NodePlumbing %s was written by somebody else: looking again", plumbing.node)
            await asyncio.to_thread(self._store.reread, plumbing.node)
            return
        self._releases = releases.after_write(self._releases, plumbing, after)
        self._store.apply_own_write(after)
        self._written[after.node] = after
        self._last_plans[after.node] = handover.current_plan(after)
        # The agent is told at once.
        self._pulse_feed.update_generations(self._elector.epoch, self._store.plumbings)
        if plumbing.stopped or plumbing.node in self._pulse.view().silences:
            self._continue_now |= not plumbing.granted <= after.granted
        _log_change(plumbing, after)

    def _create_nodeplumbing(self, name: str, spec: dict[str, Any]) -> None:
        """A NodePlumbing for a Node; one that was deleted by hand gets its grants back."""
        self._writer.create_plumbing(name, spec)
        log.info("made NodePlumbing %s with %d addresses", name, spec["grantedCount"])

    def _spec(self, of: Plumbing, plan: handover.Plan, epoch: int) -> dict[str, Any]:
        addresses, keys = self._replica_settings
        plan = replace(plan, followers=self._followers)
        ports, ports_decide = self._ports
        return nodeplumbing_spec.build(
            plan,
            epoch,
            addresses,
            ports,
            keys,
            ports_decide=ports_decide,
            checks=self._checks(of),
        )

    def _is_current(self, plumbing: Plumbing) -> bool:
        """Whether an agent knows where to send its beats, by whose keys, and what to look at."""
        addresses, keys = self._replica_settings
        ports, ports_decide = self._ports
        if (plumbing.pulse, plumbing.ports) != (addresses, ports):
            return False
        # A server whose kind is of an older version drops these: writing on would not help.
        written = self._written.get(plumbing.node, plumbing)
        are_keys_current = keys in {plumbing.pulse_keys, plumbing.pulse_keys or written.pulse_keys}
        checks = self._checks(plumbing)
        are_checks_current = checks in {plumbing.checks, plumbing.checks or written.checks}
        is_pace_current = ports_decide in {plumbing.ports_decide, written.ports_decide}
        return are_keys_current and are_checks_current and is_pace_current

    def _checks(self, plumbing: Plumbing) -> tuple[str, ...]:
        """The checks of a node; before the first decision: those that it was told last."""
        if self._last_decision is None:
            return plumbing.checks
        return self._last_decision.checks.get(plumbing.node, ())

    @property
    def _replica_settings(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The addresses of all replicas, and their public keys in the same order."""
        replicas = self._replicas.replicas()
        return tuple(r.address for r in replicas), tuple(r.public_key for r in replicas)

    @property
    def _ports(self) -> tuple[tuple[str, ...], bool]:
        """What agents are to look at, and whether often.

        Before the first decision: what they were told last.
        """
        if self._last_decision:
            demand = self._last_decision.demand
            return demand.ports, demand.ports_decide
        told = [(p.ports, p.ports_decide) for p in self._store.plumbings.values()]
        return max(told, key=lambda one: len(one[0]), default=((), False))


class BalanceTimer:
    """Says in which passes addresses may move to even out the load: one in every interval.

    None, if the interval is 0.

    A pass that finds the cluster unsettled moves nothing; the next one does not make up for it.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._size = settings.balance_interval, settings.balance_set_size
        self._clock = clock
        self._next = clock() + self._interval

    def moves_allowed(self) -> int | None:
        """How many addresses the pass that begins now may move; None: it does not balance."""
        now = self._clock()
        if not self._interval or now < self._next:
            return None
        self._next = now + self._interval
        return self._size


def _named_services(store: Store) -> frozenset[str]:
    return readiness.named_services(readiness.asked_readiness(store.vips.values()))


def _log_change(before: Plumbing, after: Plumbing) -> None:
    gained, lost = after.granted - before.granted, before.granted - after.granted
    if gained or lost:
        counts = (len(gained), len(lost), len(after.granted))
        log.info("node %s: granted %d, taken out %d, now %d", after.node, *counts)
