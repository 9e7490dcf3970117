"""Why each node is, or is not, the owner of one address: the election's own answer."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_api.reasons import Reason, State
from duravip_cli.explain.inferred_snapshot import View
from duravip_operator.core import decision, election, releases
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.eligibility import Eligibility, Eligible, matches_selector, nic_fault
from duravip_operator.core.snapshot import Node, Plumbing, Snapshot
from duravip_operator.core.units import Unit


@dataclass(frozen=True, slots=True)
class Party:
    """The unit that is asked about, and those that are elected with it."""

    unit: Unit
    leader: Unit
    followers: tuple[Unit, ...]
    eligible: Eligible

    @property
    def units(self) -> tuple[Unit, ...]:
        """All of them."""
        return (self.leader, *self.followers)


def party_of(snapshot: Snapshot, units: Mapping[str, Unit], unit: Unit) -> Party:
    """The unit with its leader and all that follow that."""
    leader = units.get(unit.leader, unit) if unit.leader else unit
    led = tuple(u for u in units.values() if u.leader == leader.address and u.electable)
    return Party(unit, leader, led, Eligibility(snapshot).of(leader, led))


def detail(view: View, party: Party, name: str, reason: Reason) -> str:
    """What about this node in particular makes it so; empty when the sentence says it all."""
    node = view.snapshot.nodes.get(name)
    if reason in {Reason.NODE_SILENT, Reason.NODE_YOUNG, Reason.NODE_STOPPED}:
        return view.heard[name].basis
    if reason is Reason.REPAIR_FAILED:
        known = view.snapshot.quarantined_until
        until = {known.get((u.address, name), "") for u in party.units} - {""}
        return f"until {max(until)}" if until else ""
    if reason is Reason.SELECTOR_MISMATCH and node:
        return "; ".join(_mismatches(party, node))
    if reason is Reason.NODE_EXCLUDED and node:
        return f"{EXCLUDE_LABEL}={node.labels.get(EXCLUDE_LABEL, '')}"
    return _detail_of_interface(view, party, name, reason)


def _detail_of_interface(view: View, party: Party, name: str, reason: Reason) -> str:
    if reason is Reason.INTERFACE_UNUSABLE:
        return "; ".join(sorted(_faults(view.snapshot.plumbings[name], party)))
    if reason in {Reason.INTERFACE_MISSING, Reason.INTERFACE_DOWN}:
        return ", ".join(sorted({u.topology.placement.interface for u in party.units
                                 if u.topology}))  # fmt: skip
    return ""


def _faults(plumbing: Plumbing, party: Party) -> set[str]:
    topologies = [unit.topology for unit in party.units if unit.topology]
    nics = {t.placement.interface: (plumbing.nics.get(t.placement.interface), t.family)
            for t in topologies}  # fmt: skip
    return {f"{name}: {fault}" for name, (nic, family) in nics.items()
            if nic and (fault := nic_fault(nic, family))}  # fmt: skip


def _mismatches(party: Party, node: Node) -> list[str]:
    asked = [(f"Topology {u.topology.name}", u.topology.selector) for u in party.units
             if u.topology]  # fmt: skip
    for unit in party.units:  # one of its entities is enough
        if not any(matches_selector(node, selector) for selector in unit.selectors):
            asked += [(vip.label, vip.selector) for vip in unit.vips]
    return sorted(
        {
            f"{label} wants {key}={value}"
            for label, selector in asked
            for key, value in selector
            if node.labels.get(key) != value
        }
    )


Word = Literal["owner", "may take it", "may not"]


class Standing(NamedTuple):
    """One node's part in the election of one address."""

    node: str
    standing: Word
    reason: str
    """A word of the enum; empty: nothing speaks against it but the sentence."""
    sentence: str


@dataclass(frozen=True, slots=True)
class _Race:
    view: View
    party: Party
    owner: str
    holder: str
    verdict: AddressStatus
    load: Mapping[str, int]
    """How many addresses each node has without this party."""

    @property
    def pinned(self) -> str:
        """Where people have asked for it to be held; empty: nowhere."""
        request = self.party.leader.request
        return request.node if request and not request.releases else ""


def decided(snapshot: Snapshot) -> decision.Decision:
    """What an operator would decide that begins to lead at this moment."""
    return decision.decide(snapshot, releases.update_records({}, snapshot))


def standings(view: View, made: decision.Decision, address: str) -> list[Standing]:
    """Every node's standing, in the order of names."""
    snapshot, unit = view.snapshot, made.units[address]
    names = sorted(snapshot.nodes.keys() | snapshot.plumbings.keys())
    verdict, choice = made.address_statuses[address], made.assignments.get(address)
    if choice is None:
        why = verdict.reason
        return [Standing(name, "may not", why, why.sentence) for name in names]
    party = party_of(snapshot, made.units, unit)
    load = Counter(c.owner for c in made.assignments.values() if c.owner)
    load.subtract({choice.owner: len(party.units)})
    holder = election.current_holders(snapshot).get(party.leader.address, "")
    race = _Race(view, party, choice.owner, holder, verdict, load)
    return [_standing(race, name) for name in names]


def _standing(race: _Race, name: str) -> Standing:
    eligible = race.party.eligible
    if name == race.owner:
        sentence = _owns(race)
        if name in eligible.refusals:
            refusal = _refused(race, name)
            sentence += (
                f"; it keeps it, but gets nothing new: {refusal.reason}: {refusal.sentence}"
            )
        elif race.verdict.state is not State.OWNED:
            sentence += f"; {race.verdict.message}"
        return Standing(name, "owner", race.verdict.reason, sentence)
    if name in eligible.may_take:
        return _passed_over(race, name)
    return _refused(race, name)


def _owns(race: _Race) -> str:
    if race.owner == race.pinned:
        return "somebody has asked for it to be held here"
    if race.owner == race.party.leader.preference:
        return "it is the preferred node"
    if race.owner == race.holder:
        return "it has the address, and nothing moves without a cause"
    return f"it has the fewest addresses ({race.load.get(race.owner, 0)})"


def _passed_over(race: _Race, name: str) -> Standing:
    most, mine = race.view.snapshot.max_aliases, race.load.get(name, 0)
    if mine + len(race.party.units) > most:
        full = Reason.CAPACITY_EXCEEDED
        return Standing(name, "may not", full, f"it holds {mine} of at most {most} addresses")
    if not race.owner:
        return Standing(name, "may take it", "", "nobody is elected yet")
    if race.owner == race.pinned:
        why = f"somebody has asked for it to be held on {race.owner}"
    elif race.owner == race.party.leader.preference:
        why = f"the preference names {race.owner}"
    elif race.owner == race.holder:
        why = f"{race.owner} has it, and nothing moves without a cause"
    else:
        theirs = race.load.get(race.owner, 0)
        why = (
            f"{race.owner} has fewer addresses ({theirs}, here {mine})"
            if theirs < mine
            else f"{race.owner} has as many addresses; the order of names decides, which "
            "begins elsewhere for each address"
        )
    return Standing(name, "may take it", "", why)


def _refused(race: _Race, name: str) -> Standing:
    snapshot = race.view.snapshot
    if name not in snapshot.plumbings:
        why = "there is no NodePlumbing of it: no operator has made one"
        return Standing(name, "may not", Reason.NODE_SILENT, why)
    reason = race.party.eligible.refusals.get(name, Reason.NODE_SILENT)
    what = detail(race.view, race.party, name, reason)
    sentence = f"{reason.sentence} ({what})" if what else reason.sentence
    return Standing(name, "may not", reason, sentence)
