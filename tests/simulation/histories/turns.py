"""One turn of the agent's loop: judge, fall silent, ask, plumb, say so."""

from collections.abc import Iterable
from dataclasses import replace

from duravip_agent.core.fencing import (
    Facts,
    FencingDecision,
    InterfaceShare,
    ProbeAnswer,
    ProbeNeeds,
    decide,
)
from duravip_agent.core.kernel_state import IfAddress, addresses_of
from duravip_agent.core.node_spec import group_by_interface
from duravip_agent.core.plan import AddressPlan, RetrySchedule, make_plan
from duravip_agent.core.watchdog_rule import LeaderContact, has_expired
from simulation.histories.agent import Agent
from simulation.histories.heart import LIMITS, Surroundings
from simulation.histories.network import FOR_EVER, SEGMENTS, Machine

ALONE_AFTER = 0.5
CHECK_EVERY = 0.09
NO_GENERATION = -1
NOT_ASKED = "?"


class TurningAgent(Agent):
    """The agent with its loop."""

    def __init__(self, around: Surroundings, machine: Machine, boot: str) -> None:
        self.neighbours: dict[str, TurningAgent] = {}
        """The agents of all nodes, which hear its announcements."""
        self._generation = 0
        self._probed: dict[str, ProbeAnswer] = {}
        self._claimed: set[str] = set()
        self._defended: dict[str, float] = {}
        self._needs = ProbeNeeds()
        self._audible_until = FOR_EVER
        self._checked = float("-inf")
        self._retries = RetrySchedule()
        super().__init__(around, machine, boot)

    def turn(self) -> None:
        """Come round once."""
        self.progress = self.now
        if self.wanted is None:
            return
        facts = self._facts()
        verdict = decide(facts)
        self._retries.forget(self.wanted, self.now)
        if has_expired(facts.fed_at, facts.now, facts.timeouts):
            self.mute()
        plan = make_plan(self.wanted, self.machine.observed(), self._retries.held_back(self.now))
        self.failures = dict(plan.failures)
        self._silence(verdict, plan)
        self._react(facts, verdict)
        self._delete(alias for alias in plan.delete if alias.address in self.wanted)
        self._arm(verdict.activate, plan)
        self._delete(alias for alias in plan.delete if alias.address not in self.wanted)
        self._carried_out(facts, verdict)
        self.publish()

    def forget_answers(self) -> None:
        """What the segment said was said under another spec, though its number may come again."""
        self._generation = NO_GENERATION

    def claimed(self, addresses: Iterable[str]) -> None:
        """Another host says that it has these."""
        self._claimed |= self.machine.held & set(addresses)

    def mute_all(self) -> None:
        """Nothing of ours is heard any more."""
        self.machine.held.clear()
        self.machine.aliases.clear()

    @property
    def _armed(self) -> frozenset[str]:
        wanted = self.wanted or {}
        placed = {
            address
            for address, alias in self.machine.aliases.items()
            if address in wanted and wanted[address].interface == SEGMENTS[alias.link - 2]
        }
        return frozenset(self.machine.held & placed)

    def _facts(self) -> Facts:
        grant, weak = self.specs.in_force, self.around.weak
        if grant.generation != self._generation:
            self._generation = grant.generation
            self._probed.clear()
            if grant.uid:
                self._needs.granted(group_by_interface(grant.wanted, grant.wanted))
        if self.fed_at is not None:
            self._audible_until = self.fed_at + LIMITS.watchdog
        links = frozenset(name for name, is_up in self.machine.up.items() if is_up)
        facts = Facts(
            now=self.now,
            epoch=self.specs.epoch or 0,
            generation=grant.generation if grant.uid else NO_GENERATION,
            grants=grant.shares if "restore" in weak else self.specs.shares(self._armed),
            contact=self.contact,
            active=self._armed,
            fed_at=self.fed_at,
            links=links,
            stale=self._needs.stale(self.now),
            probed=self._probed,
            claimed=frozenset(self._claimed),
            defended=self._defended,
            timeouts=LIMITS,
        )
        return _weakened(facts, weak) if weak else facts

    def _silence(self, verdict: FencingDecision, plan: AddressPlan) -> None:
        held = self.machine.held
        gone = held - verdict.keep - verdict.activate | held & addresses_of(plan.delete)
        self.has_strict = verdict.has_strict
        if gone:
            held -= gone
            self.publish()

    def _react(self, facts: Facts, verdict: FencingDecision) -> None:
        self._announce(verdict.defend)
        for segment, asked in self._by_segment(verdict.probe):
            found = self.around.network.ask(self.name, segment, asked, is_probe=True)
            told = {a: ProbeAnswer(self.now, macs[0]) for a, macs in found.answered.items()}
            told |= {a: ProbeAnswer(self.now) for a in found.silent - told.keys()}
            self._probed |= told | {a: ProbeAnswer(self.now, NOT_ASKED) for a in found.unasked}
        answered = {a: told.mac for a, told in self._probed.items() if told.mac}
        self.contested = {a: mac for a, mac in answered.items() if mac != NOT_ASKED}
        contact = self.contact
        self.must_read |= bool(
            verdict.must_read and contact and contact.generation > self.specs.newest_read
        )
        is_alone = contact is None or self.now - contact.sent > ALONE_AFTER
        if facts.active and is_alone and self.now - self._checked >= CHECK_EVERY:
            self._checked = self.now
            for segment, asked in self._by_segment(self._armed):
                self._claimed |= self.around.network.ask(self.name, segment, asked).answered.keys()

    def _arm(self, addresses: frozenset[str], plan: AddressPlan) -> None:
        if not addresses:
            return
        machine = self.machine
        machine.held |= addresses
        if self.fed_at is None:
            machine.held &= addresses  # to all that is held the first rule applies anew
            self.fed_at = machine.fed_at = self.now
        missing = [alias for alias in plan.add if alias.address in addresses]
        self._retries.tried(addresses_of(missing), self.now)
        for alias in missing:
            if alias.address in machine.refused:
                self._retries.refused(alias.address, "refused by the kernel")
                self.failures[alias.address] = "refused by the kernel"
            else:
                machine.aliases[alias.address] = alias
        machine.held -= addresses - machine.aliases.keys()
        self._announce(addresses & machine.held)

    def _announce(self, addresses: Iterable[str]) -> None:
        for segment, announced in self._by_segment(addresses):
            for name in self.around.network.neighbours(self.name, segment):
                if neighbour := self.neighbours.get(name):
                    neighbour.claimed(announced)

    def _delete(self, aliases: Iterable[IfAddress]) -> None:
        for alias in aliases:
            self.machine.aliases.pop(alias.address, None)
            self.machine.held.discard(alias.address)

    def _carried_out(self, facts: Facts, verdict: FencingDecision) -> None:
        self._claimed -= facts.claimed
        self._needs.record_applied(facts, verdict, self._audible_until)
        self._defended = {a: at for a, at in self._defended.items() if a in verdict.keep}
        self._defended |= dict.fromkeys(verdict.defend, self.now)
        for address in self._probed.keys() & verdict.keep:
            del self._probed[address]

    def _by_segment(self, addresses: Iterable[str]) -> Iterable[tuple[str, list[str]]]:
        wanted = self.wanted or {}
        found: dict[str, list[str]] = {}
        for address in sorted(addresses):
            if address in wanted:
                found.setdefault(wanted[address].interface, []).append(address)
        return found.items()


def _freed(granted: InterfaceShare) -> InterfaceShare:
    return granted._replace(free=granted.free | granted.contested, contested=frozenset())


def _weakened(facts: Facts, weak: frozenset[str]) -> Facts:
    """The facts without what a weakened rule overlooks."""
    if "probe" in weak:
        facts = replace(facts, grants=tuple(map(_freed, facts.grants)))
    if "stale" in weak:
        facts = replace(facts, stale=frozenset())
    if "contact" in weak:
        facts = replace(facts, contact=LeaderContact(facts.now, facts.epoch, facts.generation))
    if "epoch" in weak and facts.contact:
        facts = replace(facts, contact=facts.contact._replace(epoch=facts.epoch))
    if "yield" in weak:
        facts = replace(facts, claimed=frozenset())
    if "hold" in weak:
        facts = replace(facts, grants=tuple(g._replace(is_strict=False) for g in facts.grants))
    if weak & {"hold", "late-refresh"} and facts.fed_at is not None:
        facts = replace(facts, fed_at=facts.now)
    return facts
