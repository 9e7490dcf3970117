"""One step of the agent: makes the node serve what it may serve now, and nothing else.

The rules A1-A7 (`core/fencing`) say which of the granted addresses may be *active*: heard on
their segment. This module carries their decision out. Two things make that delicate.

*Another node may wait for our silence.* The operator grants an address to the next node only once
this one has reported that it no longer serves it, or must have fallen silent. So a step goes from
less to more:

1.  Collect the facts (`facts`) and decide. If the watchdog has run out, mute everything: others
    may have heard the silence, and every address needs a new permission.
2.  Mute what may not be active any more, by taking it out of the fence's set `held`: one
    nf_tables transaction, whatever the number of addresses. Report that at once. Then set the
    guard to the spec: an address with declared ports alone is never heard without it.
3.  Ask the segment about contested addresses, and announce again what others have claimed.
4.  Delete addresses that are in the way of a granted one, such as the same one elsewhere.
5.  Activate what may be active: the fence first, then the kernel's address, then the gratuitous
    ARP or neighbour advertisement. Thousands go in chunks, each with a permission of its own.
6.  Report again, and delete what is mute and no longer granted.

*A permission ends.* It rests on an acknowledgement that a leader gave of a heartbeat, and counts
for a fraction of a second after that heartbeat was sent (A1). Adding addresses takes time, and
the process may be stopped between any two instructions. So after each chunk has become audible
the clock is read again. What became audible too late is muted again and decided anew, unless a
newer acknowledgement permits it by then (`_activate`).

A step that is interrupted by a newer spec, or that fails half-way, leaves nothing that the next
one would not find: it always compares the kernel as it is with the spec as it is. What nobody
waits for (kernel addresses behind local routes, deletion of many mute ones) is deferred for
`DEFER_S` while others take addresses over: it keeps the kernel busy.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from duravip_agent import clock
from duravip_agent.clock import BootTime, Monotonic
from duravip_agent.core.fencing import NOTHING, Facts, FencingDecision, decide
from duravip_agent.core.kernel_state import IfAddress, addresses_of
from duravip_agent.core.node_health import FEEDS_DO_NOT_ARRIVE, NodeHealth
from duravip_agent.core.node_spec import group_by_interface, group_by_placement
from duravip_agent.core.plan import AddressPlan
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_agent.core.watchdog_rule import has_expired
from duravip_agent.facts import FactCollector
from duravip_agent.kernel.address_manager import AddressManager, chunks, format_addresses
from duravip_agent.kernel.fence import Fence
from duravip_agent.kernel.null_fence import NullFence
from duravip_agent.kernel.released_addresses import ReleasedAddresses
from duravip_agent.kernel.watchdog import Watchdog
from duravip_agent.metrics import Metrics
from duravip_agent.segment.announcer import Announcer
from duravip_agent.segment.conflict_checks import ConflictChecker
from duravip_api.reasons import Reason

log = logging.getLogger(__name__)

OUT_OF_CONTACT_AFTER_S = 0.5
"""Without an acknowledgement for this long no leader knows better than this node does."""

RETRY_ACTIVATION_AFTER_S = 0.01
"""Pause before the next try when something could not be activated in time."""

DEFER_S = 0.3
"""For this long after a take-over the work that nobody waits for is deferred: it takes the kernel
long, and just then other programs, here and elsewhere, do what clients wait for."""

MANY_MUTED = 256
"""Muting more addresses than this counts as a take-over by others."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """When a step is made, and what it may do."""

    now: Monotonic
    needs_plan: bool
    """Whether the kernel, or the spec, may be other than it was."""
    publish: Callable[[], None]
    """Reports what may be heard."""
    must_yield: Callable[[], bool]
    """Whether something came in that must not wait until thousands of addresses are added."""
    may_delete: bool = True
    """Whether the kernel was looked at just before: nothing else may be deleted."""


class Reconciler:
    """For the loop's thread."""

    def __init__(
        self,
        *,
        specs: SpecTracker,
        fence: Fence | NullFence,
        watchdog: Watchdog,
        facts: FactCollector,
        addresses: AddressManager,
        announcer: Announcer,
        conflict_checks: ConflictChecker,
        released: ReleasedAddresses,
        health: NodeHealth,
        metrics: Metrics,
        read_spec_soon: Callable[[], None],
    ) -> None:
        self._specs, self.fence, self._watchdog, self._facts = specs, fence, watchdog, facts
        self._addresses, self._announcer = addresses, announcer
        self._conflict_checks, self._released = conflict_checks, released
        self._health, self._metrics, self._read_spec_soon = health, metrics, read_spec_soon
        self._busy_since = BootTime(float("-inf"))
        """When others may have begun to wait: many were muted, or routes put in their place."""
        self.due = BootTime(float("inf"))
        """When to make a step although nothing has happened."""
        self.deferred_due = BootTime(float("inf"))
        """When to make a step that does the deferred work."""

    @property
    def served(self) -> frozenset[str]:
        """What may be heard of this node."""
        fence, present = self.fence, self._addresses.present
        return fence.active & present if fence.is_fenced else present

    @property
    def announced(self) -> frozenset[str]:
        """What may be heard and shall be: without a fence, not what is still to be deleted."""
        return self.fence.active & self._addresses.present

    @property
    def active(self) -> frozenset[str]:
        """What may be heard and is where it was granted."""
        placed = self._addresses.placed(self._specs.in_force.wanted)
        return placed & self.fence.active

    def is_out_of_contact(self) -> bool:
        """Whether something is active without contact: the segment is probed all the time then."""
        contact = self._facts.contact()
        is_alone = contact is None or clock.now() - contact.sent > OUT_OF_CONTACT_AFTER_S
        return is_alone and bool(self.fence.active)

    def reconcile(self, context: StepContext) -> bool:
        """Make one step; False when not all is done and the next one is to follow at once."""
        facts = self._facts.facts(self.active, self._addresses.interfaces(self._health.unguarded))
        decision = decide(facts)
        self.due = BootTime(decision.due)
        if has_expired(facts.fed_at, facts.now, facts.timeouts):
            self._watchdog.mute()
        self._watchdog.has_strict |= decision.has_strict
        is_less = self._mute(self.fence.active - decision.keep - decision.activate, context)
        if not self._guard():
            return False
        plan = self._plan(decision, context, is_less=is_less)
        if plan is not None:
            self._mute(self.fence.active & addresses_of(plan.delete), context)
            self._announcer.set_served(
                group_by_placement(self._specs.in_force.wanted, decision.keep), context.now
            )
        self._watchdog.has_strict = decision.has_strict
        self._metrics.yielded.inc(len(facts.claimed & facts.active - decision.keep))
        self._respond(facts, decision, context.now)
        is_done = plan is None or self._change_kernel(facts, decision, plan, context)
        self._facts.record_applied(facts, decision)
        if plan is not None:
            self._addresses.finish_step()
            self._unwatch_gone()
            self._released.remove(self.fence.active)
            active = group_by_interface(self._specs.in_force.wanted, self.active)
            self._conflict_checks.set_held(active, self._addresses.observed.links)
        return is_done

    def _guard(self) -> bool:
        """Guard what the spec says, before any of it can be heard; False: decide again.

        What is granted no more was muted before, so nothing is heard without its guard.
        """
        self.fence.guard(self._specs.in_force.guards)
        before, self._health.guard_problem = self._health.guard_problem, self.fence.guard_problem
        return before == self._health.guard_problem

    def mute_all(self) -> None:
        """Make every address of ours inaudible; nothing is removed yet."""
        self.fence.deactivate(self.fence.active)
        self._announcer.set_served({}, Monotonic(0.0))

    def _plan(
        self, decision: FencingDecision, context: StepContext, *, is_less: bool
    ) -> AddressPlan | None:
        """What has to change in the kernel; None = nothing, without having looked closely."""
        wanted = self._specs.in_force.wanted
        if not (context.needs_plan or decision.activate or is_less):
            return None
        if not self.fence.is_fenced:  # there what must be silent has to be deleted
            allowed = decision.keep | decision.activate
            wanted = {a: where for a, where in wanted.items() if a in allowed}
        return self._addresses.plan(wanted, context.now)

    def _mute(self, gone: frozenset[str], context: StepContext) -> bool:
        """Mute what must not be heard, and say so at once; whether there was anything."""
        if gone:
            self._busy_since = clock.now() if len(gone) > MANY_MUTED else self._busy_since
            self.fence.deactivate(gone)
            context.publish()
            self._metrics.muted.inc(len(gone))
            log.info("muted %s", format_addresses(gone))
        return bool(gone)

    def _respond(self, facts: Facts, decision: FencingDecision, now: Monotonic) -> None:
        if decision.defend:
            self._metrics.defended.inc(len(decision.defend))
            log.warning("defended against another host: %s", format_addresses(decision.defend))
            self._announcer.defend(decision.defend, now)
        to_probe = self._facts.to_probe(decision)
        if to_probe:
            self._metrics.probed.inc(len(to_probe))
            self._conflict_checks.probe_contested(
                facts.generation, group_by_interface(self._specs.in_force.wanted, to_probe)
            )
        contact = facts.contact
        if decision.must_read and contact and contact.generation > self._specs.newest_read:
            self._read_spec_soon()
        if facts.active and self.is_out_of_contact():
            self._conflict_checks.check_held(facts.now)

    def _change_kernel(
        self, facts: Facts, decision: FencingDecision, plan: AddressPlan, context: StepContext
    ) -> bool:
        """Make the kernel as it should be: what is in the way of another address goes first."""
        wanted = self._specs.in_force.wanted
        in_the_way: list[IfAddress] = []
        rest: list[IfAddress] = []
        for alias in plan.delete if context.may_delete else ():
            is_urgent = alias.address in wanted or not self.fence.is_fenced
            (in_the_way if is_urgent else rest).append(alias)
        self._delete(in_the_way)
        blocked = NOTHING if context.may_delete else addresses_of(plan.delete)
        if in_the_way and plan.add:
            context.publish()
        routes = self._addresses.local_routes
        routes.remove(routes.addresses - decision.keep - decision.activate)
        ready = decision.activate & self._addresses.placed(wanted)
        to_add = decision.activate - ready - blocked
        missing = [alias for alias in plan.add if alias.address in to_add]
        for few in chunks([address for address in wanted if address in ready] if ready else []):
            self._activate(facts, frozenset(few))
        for piece in routes.batches(missing, self._addresses.observed):
            self._activate(facts, addresses_of(piece), piece, by_route=True)
            self._busy_since = clock.now()
        answered, must_yield = routes.addresses, False
        for chunk in chunks([alias for alias in missing if alias.address not in answered]):
            must_yield = context.must_yield()
            if must_yield:
                break
            self._activate(facts, addresses_of(chunk), chunk)
        if ready or missing:
            context.publish()
        is_done = not must_yield and self._do_deferred(plan, rest, context)
        return is_done and blocked.isdisjoint(wanted)

    def _do_deferred(
        self, plan: AddressPlan, rest: Sequence[IfAddress], context: StepContext
    ) -> bool:
        """Do what nobody waits for: add aliases behind routes, delete what is mute already."""
        routed = self._addresses.local_routes.addresses
        behind = [alias for alias in plan.add if alias.address in routed]
        due = BootTime(self._busy_since + DEFER_S)
        is_early = clock.now() < due
        is_left = not context.may_delete and bool(plan.delete)
        must_wait = is_left or (is_early and (behind or rest))
        self.deferred_due = due if must_wait else BootTime(float("inf"))
        for chunk in chunks(() if is_early else behind):
            if context.must_yield() or clock.now() >= self.due:
                return False
            self._watchdog.loop_alive()
            self._addresses.add(chunk)
            self._announcer.announce(clock.monotonic())
        for chunk in chunks(() if is_early else rest):
            if context.must_yield():
                return False
            self._delete(chunk)
        return True

    def _activate(
        self,
        facts: Facts,
        addresses: frozenset[str],
        to_add: Sequence[IfAddress] = (),
        *,
        by_route: bool = False,
    ) -> None:
        """Let these be heard, if they may at this very moment.

        `to_add` are those that the kernel has not yet; `by_route`: routes stand in for them.
        """
        self._watchdog.loop_alive()
        may, before = self._facts.permission(facts, addresses)
        if may != addresses:
            self.fence.deactivate(addresses - may)
            self._retry_soon()
        if not may:
            return
        try:
            is_open = self._open_fence(may, before)
            may = self._add(may, to_add, by_route=by_route) if is_open else NOTHING
        except BaseException:
            self.fence.deactivate(may)  # without a look at the clock there is no permission
            raise
        self._announcer.announce_new(
            group_by_placement(self._specs.in_force.wanted, may), clock.monotonic()
        )
        while may and clock.now() >= before:  # a newer acknowledgement may have come meanwhile
            still, before = self._facts.permission(facts, may)
            self._mute_again(may - still)
            may = still

    def _open_fence(self, addresses: frozenset[str], before: float) -> bool:
        """Let the fence pass these, and feed the watchdog if it has run out; whether it worked."""
        self.fence.activate(addresses - self.fence.active)
        if self._watchdog.fed_at is not None:
            return True
        self.fence.deactivate(self.fence.active - addresses)  # A1 applies to these anew
        if not self._watchdog.begin(before):
            self._mute_again(addresses)
            return False
        if not self.fence.is_fed():  # nobody would hear what is reported as served
            self._health.report_failure(Reason.MUTED, FEEDS_DO_NOT_ARRIVE, clock.now())
            self._watchdog.mute()
            self.fence.deactivate(addresses)
            return False
        return True

    def _add(
        self, addresses: frozenset[str], to_add: Sequence[IfAddress], *, by_route: bool
    ) -> frozenset[str]:
        """Add them to the kernel; gives back what can be heard then."""
        if not to_add:
            return addresses
        add = self._addresses.add_as_routes if by_route else self._addresses.add
        present = add([alias for alias in to_add if alias.address in addresses])
        self.fence.deactivate(addresses - present)
        return present

    def _mute_again(self, addresses: frozenset[str]) -> None:
        """Mute what was activated too late."""
        if not addresses:
            return
        self.fence.deactivate(addresses)
        self._metrics.late.inc(len(addresses))
        log.info("muted again, since it has taken too long: %s", format_addresses(addresses))
        self._retry_soon()

    def _retry_soon(self) -> None:
        self.due = min(self.due, BootTime(clock.now() + RETRY_ACTIVATION_AFTER_S))

    def _delete(self, aliases: Sequence[IfAddress]) -> None:
        for chunk in chunks(aliases):
            self._watchdog.loop_alive()
            self.fence.unwatch(self._addresses.delete(chunk))

    def _unwatch_gone(self) -> None:
        """Watch nothing that is neither there nor about to be: another node may have it next."""
        fence = self.fence
        left = fence.watched - fence.active - self._addresses.present
        if left:  # deleted as it should be, or gone with its interface
            wanted = self._specs.in_force.wanted
            self._released.add(
                left - self._released.addresses,
                frozenset(wanted[address].interface for address in left if address in wanted),
            )
            fence.unwatch(left)
