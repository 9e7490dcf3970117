"""One step: judge, silence what may not be heard, say so, then let be heard what may.

Silence first, since another node may wait for it, and the report of it before everything that
takes time. An address becomes audible in this order: fence, alias, announcement; then the clock
is read again, and whatever was too late is muted (`core/fencing`).
"""

import logging
import time
from collections.abc import Sequence

from duravip_agent import clock
from duravip_agent.core.fencing import NOTHING, Facts, Verdict, judged
from duravip_agent.core.kernel_state import Alias, addresses_of
from duravip_agent.core.node_health import NOT_HEARD
from duravip_agent.core.node_spec import by_interface, by_placement
from duravip_agent.core.plan import Plan
from duravip_agent.core.watchdog_rule import has_lapsed
from duravip_agent.kernel.address_manager import chunks, listed
from duravip_agent.tools import Batch, Occasion, Tools
from duravip_api.reasons import Reason

log = logging.getLogger(__name__)

ALONE_AFTER = 0.5
"""Without an acknowledgement for so long there is no leader that would know better than we do."""

SOON = 0.01
"""Pause before the next try when something could not be armed in time."""

LULL, MANY = 0.3, 256
"""For so long aliases are not added behind routes, nor MANY mute ones deleted: it takes the kernel
long, and just then other programs, here and elsewhere, do what clients wait for."""


class Handover:
    """Lets be heard what may be, and nothing else. For the loop's thread."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._busy = float("-inf")
        """When others may have begun to wait: many were muted, or routes put in their place."""
        self.due = float("inf")
        """When a step is to be made although nothing has happened: by `clock`."""
        self.rest_due = float("inf")
        """When a step is to do what nobody waits for: by the same."""

    @property
    def served(self) -> frozenset[str]:
        """What may be heard of this node."""
        fence, present = self._tools.fence, self._tools.plumber.present
        return fence.held & present if fence.is_fenced else present

    @property
    def armed(self) -> frozenset[str]:
        """What may be heard and is where it was granted."""
        placed = self._tools.plumber.placed(self._tools.specs.grant.wanted)
        return placed & self._tools.fence.held

    def is_alone(self) -> bool:
        """Whether something is held without contact: others are asked about it all the time."""
        contact = self._tools.judge.contact()
        is_alone = contact is None or clock.now() - contact.sent > ALONE_AFTER
        return is_alone and bool(self._tools.fence.held)

    def step(self, occasion: Occasion) -> bool:
        """Make one; False when not all is done and the next one is to follow at once."""
        tools = self._tools
        facts = tools.judge.facts(self.armed, tools.plumber.cards(tools.health.unguarded))
        verdict = judged(facts)
        self.due = verdict.due
        if has_lapsed(facts.refreshed, facts.now, facts.limits):
            tools.lifeline.mute()
        tools.lifeline.has_strict |= verdict.has_strict
        is_less = self._silence(tools.fence.held - verdict.keep - verdict.arm, occasion)
        plan = self._plan(verdict, occasion, is_less=is_less)
        if plan is not None:
            self._silence(tools.fence.held & addresses_of(plan.delete), occasion)
            tools.announcer.serving(
                by_placement(tools.specs.grant.wanted, verdict.keep), occasion.now
            )
        tools.lifeline.has_strict = verdict.has_strict
        tools.metrics.yielded.inc(len(facts.claimed & facts.armed - verdict.keep))
        self._react(facts, verdict, occasion.now)
        is_done = plan is None or self._plumb(facts, verdict, plan, occasion)
        tools.judge.carried_out(facts, verdict)
        if plan is not None:
            tools.plumber.finish()
            self._forget()
            tools.released.remove(tools.fence.held)
            armed = by_interface(tools.specs.grant.wanted, self.armed)
            tools.inquiry.hold(armed, tools.plumber.observed.links)
        return is_done

    def silence_all(self) -> None:
        """Nothing of ours is heard any more; nothing is removed yet."""
        self._tools.fence.release(self._tools.fence.held)
        self._tools.announcer.serving({}, 0.0)

    def _plan(self, verdict: Verdict, occasion: Occasion, *, is_less: bool) -> Plan | None:
        """What has to change in the kernel; None = nothing, without having looked closely."""
        wanted = self._tools.specs.grant.wanted
        if not (occasion.is_dirty or verdict.arm or is_less):
            return None
        if not self._tools.fence.is_fenced:  # there what must be silent has to be deleted
            allowed = verdict.keep | verdict.arm
            wanted = {a: where for a, where in wanted.items() if a in allowed}
        return self._tools.plumber.plan(wanted, occasion.now)

    def _silence(self, gone: frozenset[str], occasion: Occasion) -> bool:
        """Mute what must not be heard, and say so at once; whether there was anything."""
        if gone:
            self._busy = clock.now() if len(gone) > MANY else self._busy
            self._tools.fence.release(gone)
            occasion.speak()
            self._tools.metrics.muted.inc(len(gone))
            log.info("muted %s", listed(gone))
        return bool(gone)

    def _react(self, facts: Facts, verdict: Verdict, now: float) -> None:
        tools = self._tools
        if verdict.defend:
            tools.metrics.defended.inc(len(verdict.defend))
            log.warning("defended against another host: %s", listed(verdict.defend))
            tools.announcer.defend(verdict.defend, now)
        asked = tools.judge.to_ask(verdict)
        if asked:
            tools.metrics.probed.inc(len(asked))
            tools.inquiry.ask(facts.generation, by_interface(tools.specs.grant.wanted, asked))
        contact = facts.contact
        if verdict.must_read and contact and contact.generation > tools.specs.newest_read:
            tools.inquiry.read_soon()
        if facts.armed and self.is_alone():
            tools.inquiry.check(facts.now)

    def _plumb(self, facts: Facts, verdict: Verdict, plan: Plan, occasion: Occasion) -> bool:
        """Make the kernel as it should be: what is in the way of another address goes first."""
        tools = self._tools
        wanted = tools.specs.grant.wanted
        in_the_way: list[Alias] = []
        rest: list[Alias] = []
        for alias in plan.delete if occasion.may_delete else ():
            is_urgent = alias.address in wanted or not tools.fence.is_fenced
            (in_the_way if is_urgent else rest).append(alias)
        self._delete(in_the_way)
        blocked = NOTHING if occasion.may_delete else addresses_of(plan.delete)
        if in_the_way and plan.add:
            occasion.speak()
        gaps = tools.plumber.stopgaps
        gaps.drop(gaps.addresses - verdict.keep - verdict.arm)
        ready = verdict.arm & tools.plumber.placed(wanted)
        to_add = verdict.arm - ready - blocked
        missing = [alias for alias in plan.add if alias.address in to_add]
        for few in chunks([address for address in wanted if address in ready] if ready else []):
            self._arm(facts, Batch(frozenset(few)))
        for piece in gaps.pieces(missing, tools.plumber.observed):
            self._arm(facts, Batch(addresses_of(piece), piece, by_route=True))
            self._busy = clock.now()
        answered, must_yield = gaps.addresses, False
        for chunk in chunks([alias for alias in missing if alias.address not in answered]):
            must_yield = occasion.must_yield()
            if must_yield:
                break
            self._arm(facts, Batch(addresses_of(chunk), chunk))
        if ready or missing:
            occasion.speak()
        is_done = not must_yield and self._follow_up(plan, rest, occasion)
        return is_done and blocked.isdisjoint(wanted)

    def _follow_up(self, plan: Plan, rest: Sequence[Alias], occasion: Occasion) -> bool:
        """What nobody waits for: aliases behind routes, and what is mute already."""
        tools, gaps = self._tools, self._tools.plumber.stopgaps.addresses
        behind = [alias for alias in plan.add if alias.address in gaps]
        due = self._busy + LULL
        is_early = clock.now() < due
        is_left = not occasion.may_delete and bool(plan.delete)
        self.rest_due = due if is_left or (is_early and (behind or rest)) else float("inf")
        for chunk in chunks(() if is_early else behind):
            if occasion.must_yield() or clock.now() >= self.due:
                return False
            tools.lifeline.come_round()
            tools.plumber.add(chunk)
            tools.announcer.announce(time.monotonic())
        for chunk in chunks(() if is_early else rest):
            if occasion.must_yield():
                return False
            self._delete(chunk)
        return True

    def _arm(self, facts: Facts, batch: Batch) -> None:
        """Let these be heard, if they may at this very moment."""
        tools = self._tools
        tools.lifeline.come_round()
        may, before = tools.judge.permission(facts, batch.addresses)
        if may != batch.addresses:
            tools.fence.release(batch.addresses - may)
            self._judge_soon()
        if not may:
            return
        try:
            may = self._make_audible(may, before, batch)
        except BaseException:
            tools.fence.release(may)  # whoever does not get as far as the clock has no permission
            raise
        tools.announcer.plumbed(by_placement(tools.specs.grant.wanted, may), time.monotonic())
        while may and clock.now() >= before:  # a newer acknowledgement may have come meanwhile
            still, before = tools.judge.permission(facts, may)
            self._mute_again(may - still)
            may = still

    def _make_audible(
        self, addresses: frozenset[str], before: float, batch: Batch
    ) -> frozenset[str]:
        """Open the fence and add the aliases; gives back what can be heard then."""
        tools = self._tools
        tools.fence.take(addresses - tools.fence.held)
        if tools.lifeline.refreshed is None:
            tools.fence.release(tools.fence.held - addresses)  # A1 applies to it anew
            if not tools.lifeline.begin(before):
                self._mute_again(addresses)
                return NOTHING
            if not tools.fence.is_alive():  # nobody hears what is said to be served
                tools.health.failed(Reason.MUTED, NOT_HEARD, clock.now())
                tools.lifeline.mute()
                tools.fence.release(addresses)
                return NOTHING
        if not batch.aliases:
            return addresses
        add = tools.plumber.stand_in if batch.by_route else tools.plumber.add
        there = add([alias for alias in batch.aliases if alias.address in addresses])
        tools.fence.release(addresses - there)
        return there

    def _mute_again(self, addresses: frozenset[str]) -> None:
        """These were armed too late."""
        if not addresses:
            return
        self._tools.fence.release(addresses)
        self._tools.metrics.late.inc(len(addresses))
        log.info("muted again, since it has taken too long: %s", listed(addresses))
        self._judge_soon()

    def _judge_soon(self) -> None:
        self.due = min(self.due, clock.now() + SOON)

    def _delete(self, aliases: Sequence[Alias]) -> None:
        for chunk in chunks(aliases):
            self._tools.lifeline.come_round()
            self._tools.fence.forget(self._tools.plumber.delete(chunk))

    def _forget(self) -> None:
        """Watch nothing that is neither there nor about to be: it may be somebody else's next."""
        fence = self._tools.fence
        left = fence.vips - fence.held - self._tools.plumber.present
        if left:  # deleted as it should be, or gone with its card
            wanted = self._tools.specs.grant.wanted
            self._tools.released.add(
                left - self._tools.released.addresses,
                frozenset(wanted[address].interface for address in left if address in wanted),
            )
            fence.forget(left)
