"""What the agent remembers for the hand-over rule, made into facts for `core/fencing`."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from duravip_agent import clock
from duravip_agent.core.address_conflicts import Claim, Conflicts
from duravip_agent.core.fencing import Facts, Granted, Probed, Verdict, judged
from duravip_agent.core.interfaces import NO_FAULT, Cards, Fault
from duravip_agent.core.node_health import Health
from duravip_agent.core.node_spec import by_interface
from duravip_agent.core.probe_needs import ProbeNeeds
from duravip_agent.core.probing import Findings
from duravip_agent.core.spec_tracker import Specs
from duravip_agent.core.watchdog_rule import Contact
from duravip_agent.kernel.address_manager import listed
from duravip_agent.kernel.watchdog import Lifeline

log = logging.getLogger(__name__)

NOT_ASKED = "?"
"""In place of a MAC: the segment could not be asked, which is no silence."""

NO_GENERATION = -1
"""Of an object that was deleted: no acknowledgement names it."""

MOST_ASKED = 2048
"""Addresses that are asked about at a time: what nobody answers for has to be armed at once."""

LONG_AGO = Probed(float("-inf"))
NOTHING: frozenset[str] = frozenset()
NO_CARDS = Cards()


class Permission(NamedTuple):
    """What may be armed now, if it can be heard before a certain time."""

    addresses: frozenset[str]
    before: float


@dataclass(frozen=True, slots=True)
class Sources:
    """Where facts come from."""

    specs: Specs
    lifeline: Lifeline
    contact: Callable[[], Contact | None]
    health: Health = field(default_factory=Health)


class Judge:
    """Collects what happens, and gives verdicts. For the loop's thread."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._generation = 0
        self._since = float("-inf")
        """Of a beat sent earlier no acknowledgement counts."""
        self._probed: dict[str, Probed] = {}
        self._asking: set[str] = set()
        self._needs = ProbeNeeds()
        self._claimed: set[str] = set()
        self._defended: dict[str, float] = {}
        self.conflicts = Conflicts()

    def contact(self) -> Contact | None:
        """The newest acknowledgement of a leader, if it proves anything about now."""
        found = self._sources.contact()
        return found if found and found.sent >= self._since else None

    def begin_anew(self) -> None:
        """Everything was muted: others may have heard that, and may act on it from now on.

        A leader that acknowledges a beat sent later has not acted on it before that.
        """
        self._since = clock.now()

    @property
    def contested(self) -> Mapping[str, str]:
        """The MACs that answered when a segment was asked for contested addresses."""
        return {a: told.mac for a, told in self._probed.items() if _is_answer(told)}

    def forget_answers(self) -> None:
        """What the segment said was said under another spec, though its number may come again."""
        self._generation = NO_GENERATION

    def facts(self, armed: frozenset[str], cards: Cards = NO_CARDS) -> Facts:
        """All that decides now. A node that is not well has no card to serve anything on."""
        specs, lifeline = self._sources.specs, self._sources.lifeline
        grant = specs.grant
        if grant.generation != self._generation:
            self._generation = grant.generation
            # A silence of before means nothing now; who answered is there until nobody answers.
            answers = {a: told for a, told in self._probed.items() if _is_answer(told)}
            self._probed = {a: told for a, told in answers.items() if a in grant.wanted}
            self._asking.clear()
            if grant.uid:
                self._needs.granted(by_interface(grant.wanted, grant.wanted))
        now = clock.now()
        return Facts(
            now=now,
            epoch=specs.epoch or 0,
            generation=grant.generation if grant.uid else NO_GENERATION,
            grants=tuple(_answerable(share, cards.faulty) for share in specs.shares(armed)),
            contact=self.contact(),
            armed=armed,
            refreshed=lifeline.refreshed,
            links=NOTHING if self._sources.health.problem else cards.audible,
            stale=self._needs.stale(now),
            probed=self._probed,
            claimed=frozenset(self._claimed),
            defended=self._defended,
            limits=lifeline.limits,
        )

    def permission(self, facts: Facts, addresses: frozenset[str]) -> Permission:
        """What of these may be armed at this very moment."""
        grants = tuple(_narrowed(granted, addresses) for granted in facts.grants)
        fresh = self.facts(NOTHING)
        verdict = judged(replace(fresh, grants=grants, links=facts.links, claimed=NOTHING))
        return Permission(verdict.arm, verdict.arm_before)

    def carried_out(self, facts: Facts, verdict: Verdict) -> None:
        """A verdict has been acted upon."""
        self._claimed -= facts.claimed
        self._needs.carried_out(facts, verdict, self._sources.lifeline.audible_until)
        self._defended = {a: at for a, at in self._defended.items() if a in verdict.keep}
        self._defended |= dict.fromkeys(verdict.defend, facts.now)
        for address in self._probed.keys() & verdict.keep:
            del self._probed[address]

    def to_ask(self, verdict: Verdict) -> frozenset[str]:
        """What the segment is to be asked about, unless that is being done; `answered` follows."""
        open_ = verdict.probe - self._asking
        room = MOST_ASKED - len(self._asking)
        if len(open_) > room:  # those first that were not asked about for the longest time
            in_order = sorted(open_, key=lambda a: self._probed.get(a, LONG_AGO).at)
            open_ = frozenset(in_order[: max(0, room)])
        self._asking |= open_
        return open_

    def answered(self, generation: int, findings: Findings, at: float) -> bool:
        """A segment was asked; gives back whether there is something else to report."""
        if generation != self._generation:
            return False  # asked under an earlier spec: a silence of then means nothing now
        before = self.contested
        told = {a: self._answer(a, at, macs[0]) for a, macs in findings.answered.items()}
        told |= {a: Probed(at) for a in findings.silent - told.keys()}
        told |= {a: Probed(at, NOT_ASKED) for a in findings.unasked - told.keys()}
        _log({a: found.mac for a, found in told.items() if self._last_mac(a) != found.mac})
        self._asking -= told.keys()
        self._probed |= told
        return before != self.contested

    def _answer(self, address: str, at: float, mac: str) -> Probed:
        known = self._probed.get(address)
        is_same = known is not None and _is_answer(known)
        return Probed(at, mac, known.since if known and is_same else at)

    def _last_mac(self, address: str) -> str | None:
        """What the segment said of it last; None = it was not asked yet."""
        known = self._probed.get(address)
        return known and known.mac

    def claimed(self, claims: Iterable[Claim], armed: frozenset[str]) -> None:
        """Others say that they have addresses; of interest are those that we hold."""
        ours = [claim for claim in claims if claim.address in armed]
        self._claimed |= {claim.address for claim in ours}
        self.conflicts.claimed(ours)


def _is_answer(told: Probed) -> bool:
    return told.mac not in {"", NOT_ASKED}


def _log(macs: Mapping[str, str]) -> None:
    """One line for each thing that is new, and none for asking again and again."""
    told: dict[str, list[str]] = {}
    for address, mac in macs.items():
        told.setdefault(mac, []).append(address)
    for mac, addresses in told.items():
        what = {"": "nobody answers", NOT_ASKED: "the segment cannot be asked"}
        log.info("probed %s: %s", listed(addresses), what.get(mac, f"{mac} answers"))


def _answerable(granted: Granted, faulty: Mapping[str, Fault]) -> Granted:
    """What is left of a grant where the card does not answer for all addresses."""
    fault = faulty.get(granted.interface, NO_FAULT)
    if not (fault.ipv4 or fault.ipv6 or fault.foreign):
        return granted
    everything = granted.free | granted.contested
    return _narrowed(granted, frozenset(a for a in everything if not fault.of(a)))


def _narrowed(granted: Granted, addresses: frozenset[str]) -> Granted:
    return granted._replace(free=granted.free & addresses, contested=granted.contested & addresses)
