"""Collects the facts that the rules of `core/fencing` decide from."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from duravip_agent import clock
from duravip_agent.core.address_conflicts import Claim, Conflicts
from duravip_agent.core.fencing import (
    NOTHING,
    Facts,
    FencingDecision,
    InterfaceShare,
    ProbeAnswer,
    ProbeNeeds,
    decide,
)
from duravip_agent.core.interfaces import NO_FAULT, InterfaceFault, UsableInterfaces
from duravip_agent.core.node_health import NodeHealth
from duravip_agent.core.node_spec import group_by_interface
from duravip_agent.core.probing import ProbeResult
from duravip_agent.core.spec_tracker import SpecTracker
from duravip_agent.core.watchdog_rule import LeaderContact
from duravip_agent.kernel.address_manager import format_addresses
from duravip_agent.kernel.watchdog import Watchdog

log = logging.getLogger(__name__)

NOT_PROBED = "?"
"""In place of a MAC: the segment could not be probed, which is no silence."""

NO_GENERATION = -1
"""Of an object that was deleted: no acknowledgement names it."""

MAX_PROBED_AT_ONCE = 2048
"""Addresses that are probed at a time: those that nobody answers for must be activated at once."""

LONG_AGO = ProbeAnswer(float("-inf"))
NO_CARDS = UsableInterfaces()


class Permission(NamedTuple):
    """What may be active now, if it can be heard before a certain time."""

    addresses: frozenset[str]
    before: float


class FactCollector:
    """For the loop's thread."""

    def __init__(
        self,
        specs: SpecTracker,
        watchdog: Watchdog,
        newest_contact: Callable[[], LeaderContact | None],
        health: NodeHealth,
    ) -> None:
        self._specs, self._watchdog, self._health = specs, watchdog, health
        self._newest_contact = newest_contact
        self._generation = 0
        self._since = float("-inf")
        """Of a heartbeat sent earlier no acknowledgement counts."""
        self._probed: dict[str, ProbeAnswer] = {}
        self._asking: set[str] = set()
        self._needs = ProbeNeeds()
        self._claimed: set[str] = set()
        self._defended: dict[str, float] = {}
        self.conflicts = Conflicts()

    def contact(self) -> LeaderContact | None:
        """The newest acknowledgement of a leader, if it proves anything about now."""
        contact = self._newest_contact()
        return contact if contact and contact.sent >= self._since else None

    def require_fresh_ack(self) -> None:
        """Everything was muted: others may have heard that, and may act on it from now on.

        A leader that acknowledges a heartbeat sent later has not acted on it before that.
        """
        self._since = clock.now()

    @property
    def contested(self) -> Mapping[str, str]:
        """The MACs that answered when a segment was asked for contested addresses."""
        return {a: answer.mac for a, answer in self._probed.items() if _is_answer(answer)}

    def forget_probes(self) -> None:
        """What the segment said was said under another spec, though its number may come again."""
        self._generation = NO_GENERATION

    def facts(self, armed: frozenset[str], cards: UsableInterfaces = NO_CARDS) -> Facts:
        """All that decides now. A node that is not well has no interface to serve anything on."""
        specs, watchdog = self._specs, self._watchdog
        grant = specs.in_force
        if grant.generation != self._generation:
            self._generation = grant.generation
            # A silence of before means nothing now; who answered is there until nobody answers.
            answers = {a: answer for a, answer in self._probed.items() if _is_answer(answer)}
            self._probed = {a: answer for a, answer in answers.items() if a in grant.wanted}
            self._asking.clear()
            if grant.uid:
                self._needs.granted(group_by_interface(grant.wanted, grant.wanted))
        now = clock.now()
        return Facts(
            now=now,
            epoch=specs.epoch or 0,
            generation=grant.generation if grant.uid else NO_GENERATION,
            grants=self._servable(specs.shares(armed), cards),
            contact=self.contact(),
            active=armed,
            fed_at=watchdog.fed_at,
            links=NOTHING if self._health.problem else cards.audible,
            stale=self._needs.stale(now),
            probed=self._probed,
            claimed=frozenset(self._claimed),
            defended=self._defended,
            timeouts=watchdog.timeouts,
        )

    @property
    def unguardable(self) -> frozenset[str]:
        """What is granted and should be guarded, which is not possible: it is not served."""
        return self._specs.in_force.guarded if self._health.guard_problem else NOTHING

    def _servable(
        self, shares: Iterable[InterfaceShare], cards: UsableInterfaces
    ) -> tuple[InterfaceShare, ...]:
        answerable = tuple(_answerable(share, cards.faulty) for share in shares)
        unguardable = self.unguardable
        if not unguardable:
            return answerable
        return tuple(
            _narrowed(share, (share.free | share.contested) - unguardable) for share in answerable
        )

    def permission(self, facts: Facts, addresses: frozenset[str]) -> Permission:
        """What of these may be active at this very moment."""
        grants = tuple(_narrowed(granted, addresses) for granted in facts.grants)
        fresh = self.facts(NOTHING)
        decision = decide(replace(fresh, grants=grants, links=facts.links, claimed=NOTHING))
        return Permission(decision.activate, decision.activate_before)

    def record_applied(self, facts: Facts, decision: FencingDecision) -> None:
        """A decision has been acted upon."""
        self._claimed -= facts.claimed
        self._needs.record_applied(facts, decision, self._watchdog.audible_until)
        self._defended = {a: at for a, at in self._defended.items() if a in decision.keep}
        self._defended |= dict.fromkeys(decision.defend, facts.now)
        for address in self._probed.keys() & decision.keep:
            del self._probed[address]

    def to_probe(self, decision: FencingDecision) -> frozenset[str]:
        """What to probe, unless that is being done; `add_probe_result` follows."""
        open_ = decision.probe - self._asking
        room = MAX_PROBED_AT_ONCE - len(self._asking)
        if len(open_) > room:  # those first whose last probe is the oldest
            in_order = sorted(open_, key=lambda a: self._probed.get(a, LONG_AGO).at)
            open_ = frozenset(in_order[: max(0, room)])
        self._asking |= open_
        return open_

    def add_probe_result(self, generation: int, findings: ProbeResult, at: float) -> bool:
        """A segment was asked; gives back whether there is something else to report."""
        if generation != self._generation:
            return False  # asked under an earlier spec: a silence of then means nothing now
        before = self.contested
        answers = {a: self._answer(a, at, macs[0]) for a, macs in findings.answered.items()}
        answers |= {a: ProbeAnswer(at) for a in findings.silent - answers.keys()}
        answers |= {a: ProbeAnswer(at, NOT_PROBED) for a in findings.unasked - answers.keys()}
        last = {a: answer.mac for a, answer in self._probed.items()}
        _log({a: answer.mac for a, answer in answers.items() if last.get(a) != answer.mac})
        self._asking -= answers.keys()
        self._probed |= answers
        return before != self.contested

    def _answer(self, address: str, at: float, mac: str) -> ProbeAnswer:
        last = self._probed.get(address)
        is_same = last is not None and _is_answer(last)
        return ProbeAnswer(at, mac, last.since if last and is_same else at)

    def add_claims(self, claims: Iterable[Claim], armed: frozenset[str]) -> None:
        """Others say that they have addresses; of interest are those that we hold."""
        ours = [claim for claim in claims if claim.address in armed]
        self._claimed |= {claim.address for claim in ours}
        self.conflicts.add(ours)


def _is_answer(answer: ProbeAnswer) -> bool:
    return answer.mac not in {"", NOT_PROBED}


def _log(macs: Mapping[str, str]) -> None:
    """One line for each thing that is new, and none for asking again and again."""
    by_mac: dict[str, list[str]] = {}
    for address, mac in macs.items():
        by_mac.setdefault(mac, []).append(address)
    for mac, addresses in by_mac.items():
        what = {"": "nobody answers", NOT_PROBED: "the segment cannot be asked"}
        log.info("probed %s: %s", format_addresses(addresses), what.get(mac, f"{mac} answers"))


def _answerable(granted: InterfaceShare, faulty: Mapping[str, InterfaceFault]) -> InterfaceShare:
    """What is left of a grant where the interface does not answer for all addresses."""
    fault = faulty.get(granted.interface, NO_FAULT)
    if not (fault.ipv4 or fault.ipv6 or fault.foreign):
        return granted
    everything = granted.free | granted.contested
    return _narrowed(granted, frozenset(a for a in everything if not fault.of(a)))


def _narrowed(granted: InterfaceShare, addresses: frozenset[str]) -> InterfaceShare:
    return granted._replace(free=granted.free & addresses, contested=granted.contested & addresses)
