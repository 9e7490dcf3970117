"""Why each node is, or is not, the owner of one address: the election's own answer.

The operator ignores a `move` or a `release` that it cannot carry out. The command line refuses to
write one (`move_refusal`, `release_refusal`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal, NamedTuple

from duravip_api import EXCLUDE_LABEL
from duravip_api.nodeplumbing import Nic
from duravip_api.reasons import Reason, State
from duravip_cli.explain.inferred_snapshot import InferredSnapshot
from duravip_cli.rows import AddressRow
from duravip_operator.core import decision, election, failback, readiness, releases
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.eligibility import Eligibility, matches_selector
from duravip_operator.core.eligible import Eligible
from duravip_operator.core.interface_choice import nic_fault
from duravip_operator.core.snapshot import Node, Plumbing, ReadinessKey, Snapshot
from duravip_operator.core.units import Unit


@dataclass(frozen=True, slots=True)
class ElectionGroup:
    """An address, with the leader and the followers that are elected together with it."""

    unit: Unit
    leader: Unit
    followers: tuple[Unit, ...]
    eligibility: Eligible

    @property
    def units(self) -> tuple[Unit, ...]:
        """The leader and its followers."""
        return (self.leader, *self.followers)


def _election_group(snapshot: Snapshot, units: Mapping[str, Unit], unit: Unit) -> ElectionGroup:
    """The group of an address: its leader, and all addresses that follow that."""
    leader = units.get(unit.leader, unit) if unit.leader else unit
    led = tuple(u for u in units.values() if u.leader == leader.address and u.electable)
    return ElectionGroup(unit, leader, led, Eligibility(snapshot).of(leader, led))


def _node_detail(
    inferred: InferredSnapshot, group: ElectionGroup, name: str, reason: Reason
) -> str:
    """The detail that a reason's sentence lacks for this node; empty: none."""
    node = inferred.snapshot.nodes.get(name)
    if reason in {Reason.NODE_SILENT, Reason.NODE_YOUNG, Reason.NODE_STOPPED}:
        return inferred.liveness[name].basis
    if reason is Reason.REPAIR_FAILED:
        ends = inferred.snapshot.quarantined_until
        until = {ends.get((u.address, name), "") for u in group.units} - {""}
        return f"until {max(until)}" if until else ""
    if reason is Reason.SELECTOR_MISMATCH and node:
        return "; ".join(_selector_mismatches(group, node))
    if reason in readiness.REASONS:
        return _unfit_detail(inferred.snapshot, group, name)
    if reason is Reason.NODE_EXCLUDED and node:
        return f"{EXCLUDE_LABEL}={node.labels.get(EXCLUDE_LABEL, '')}"
    return _interface_detail(inferred, group, name, reason)


def _unfit_detail(snapshot: Snapshot, group: ElectionGroup, name: str) -> str:
    asked = frozenset[ReadinessKey]().union(*(unit.readiness for unit in group.units))
    lacks = readiness.unmet(snapshot, asked, name)
    return "; ".join(f"unfit: {readiness.describe(snapshot, key)}" for key in lacks)


def _interface_detail(
    inferred: InferredSnapshot, group: ElectionGroup, name: str, reason: Reason
) -> str:
    if reason is Reason.INTERFACE_UNUSABLE:
        return "; ".join(sorted(_interface_faults(inferred.snapshot.plumbings[name], group)))
    if reason in {Reason.INTERFACE_MISSING, Reason.INTERFACE_DOWN, Reason.INTERFACE_AMBIGUOUS}:
        plumbing = inferred.snapshot.plumbings[name]
        topologies = {u.topology.name: u.topology for u in group.units if u.topology}
        wanted = {t.candidates.label: t.candidates.of(plumbing.nics) for t in topologies.values()}
        return ", ".join(
            label if reason is Reason.INTERFACE_MISSING or label == ",".join(has)
            else f"{label}: {', '.join(has) or 'none'}"
            for label, has in sorted(wanted.items())
        )  # fmt: skip
    return ""


def _interface_faults(plumbing: Plumbing, group: ElectionGroup) -> set[str]:
    topologies = {unit.topology.name: unit.topology for unit in group.units if unit.topology}
    return {
        f"{name}: {fault}"
        for topology in topologies.values()
        for name in topology.candidates.of(plumbing.nics)
        if (fault := nic_fault(plumbing.nics[name], topology.family))
    }


def _selector_mismatches(group: ElectionGroup, node: Node) -> list[str]:
    wanted = [(f"Topology {u.topology.name}", u.topology.selector) for u in group.units
             if u.topology]  # fmt: skip
    for unit in group.units:  # one of its vips is enough
        if not any(matches_selector(node, selector) for selector in unit.selectors):
            wanted += [(vip.label, vip.selector) for vip in unit.vips]
    return sorted(
        {
            f"{label} wants {key}={value}"
            for label, selector in wanted
            for key, value in selector
            if node.labels.get(key) != value
        }
    )


StandingWord = Literal["owner", "may take it", "may not"]


class Standing(NamedTuple):
    """The standing of one node in the election of one address."""

    node: str
    standing: StandingWord
    reason: str
    """A Reason; empty: only the sentence explains it."""
    sentence: str


@dataclass(frozen=True, slots=True)
class _Election:
    inferred: InferredSnapshot
    group: ElectionGroup
    owner: str
    holder: str
    verdict: AddressStatus
    load: Mapping[str, int]
    """The addresses of each node, without this group."""

    @property
    def pinned(self) -> str:
        """The node of a `move` request; empty: none."""
        request = self.group.leader.request
        return request.node if request and not request.releases else ""


def decide_now(snapshot: Snapshot) -> decision.Decision:
    """The decision of an operator that becomes the leader now."""
    return decision.decide(snapshot, releases.update_records({}, snapshot))


def standings(
    inferred: InferredSnapshot, decided: decision.Decision, address: str
) -> list[Standing]:
    """Every node's standing, in the order of names."""
    snapshot, unit = inferred.snapshot, decided.units[address]
    names = sorted(snapshot.nodes.keys() | snapshot.plumbings.keys())
    verdict, choice = decided.address_statuses[address], decided.assignments.get(address)
    if choice is None:
        why = verdict.reason
        return [Standing(name, "may not", why, why.sentence) for name in names]
    group = _election_group(snapshot, decided.units, unit)
    load = Counter(c.owner for c in decided.assignments.values() if c.owner)
    load.subtract({choice.owner: len(group.units)})
    holder = election.current_holders(snapshot).get(group.leader.address, "")
    contest = _Election(inferred, group, choice.owner, holder, verdict, load)
    return [_standing(contest, name) for name in names]


def _standing(contest: _Election, name: str) -> Standing:
    eligible = contest.group.eligibility
    if name == contest.owner:
        sentence = _why_owner(contest)
        if name in eligible.refusals:
            refusal = _why_refused(contest, name)
            sentence += (
                f"; it keeps it, but gets nothing new: {refusal.reason}: {refusal.sentence}"
            )
        elif contest.verdict.state is not State.OWNED:
            sentence += f"; {contest.verdict.message}"
        sentence += _interface_note(contest, name)
        return Standing(name, "owner", contest.verdict.reason, sentence)
    if name in eligible.may_take:
        standing = _why_not_elected(contest, name)
        return standing._replace(sentence=standing.sentence + _interface_note(contest, name))
    return _why_refused(contest, name)


def _interface_note(contest: _Election, name: str) -> str:
    """Which interface the node uses where it has a choice, and why none before it."""
    snapshot, topology = contest.inferred.snapshot, contest.group.leader.topology
    if topology is None or len(topology.candidates.names) == 1:
        return ""
    chosen = snapshot.interface_on(name, topology).name
    nics, names = snapshot.plumbings[name].nics, topology.candidates.names
    before = names[: names.index(chosen)] if chosen in names else ()
    states = [f"{other} {_interface_state(nics.get(other))}" for other in before]
    return f"; its interface is {chosen}" + (f" ({', '.join(states)})" if states else "")


def _interface_state(nic: Nic | None) -> str:
    if nic is None:
        return "is not there"
    if not nic.up:
        return "is down"
    return "does not answer" if nic.carrier else "has no carrier"


def _why_owner(contest: _Election) -> str:
    if contest.owner == contest.pinned:
        return "somebody has asked for it to be held here"
    if contest.owner == contest.group.leader.preference:
        return "it is the preferred node"
    if contest.owner == contest.holder:
        return "it has the address, and nothing moves without a cause"
    return f"it has the fewest addresses ({contest.load.get(contest.owner, 0)})"


def _why_not_elected(contest: _Election, name: str) -> Standing:
    most, mine = contest.inferred.snapshot.max_aliases, contest.load.get(name, 0)
    if mine + len(contest.group.units) > most:
        full = Reason.CAPACITY_EXCEEDED
        return Standing(name, "may not", full, f"it holds {mine} of at most {most} addresses")
    if not contest.owner:
        return Standing(name, "may take it", "", "nobody is elected yet")
    if contest.owner == contest.pinned:
        why = f"somebody has asked for it to be held on {contest.owner}"
    elif contest.owner == contest.group.leader.preference:
        why = f"the preference names {contest.owner}"
    elif name == contest.group.leader.preference and not failback.is_over(
        contest.group.units, name, contest.inferred.snapshot
    ):
        reason, why = failback.explain_delay(contest.group.leader, name, contest.inferred.snapshot)
        return Standing(name, "may take it", reason, why)
    elif contest.owner == contest.holder:
        why = f"{contest.owner} has it, and nothing moves without a cause"
    else:
        theirs = contest.load.get(contest.owner, 0)
        why = (
            f"{contest.owner} has fewer addresses ({theirs}, here {mine})"
            if theirs < mine
            else f"{contest.owner} has as many addresses; the order of names decides, which "
            "begins elsewhere for each address"
        )
    return Standing(name, "may take it", "", why)


def _why_refused(contest: _Election, name: str) -> Standing:
    snapshot = contest.inferred.snapshot
    if name not in snapshot.plumbings:
        why = "there is no NodePlumbing of it: no operator has made one"
        return Standing(name, "may not", Reason.NODE_SILENT, why)
    reason = contest.group.eligibility.refusals.get(name, Reason.NODE_SILENT)
    what = _node_detail(contest.inferred, contest.group, name, reason)
    sentence = f"{reason.sentence} ({what})" if what else reason.sentence
    return Standing(name, "may not", reason, sentence)


def move_refusal(
    inferred: InferredSnapshot, decided: decision.Decision, row: AddressRow, node: str
) -> str:
    """Why the address cannot be moved to that node; empty: it can."""
    if why := _not_elected(decided, row):
        return why
    unit = decided.units[row.address]
    if unit.preference not in {"", node} and unit.failback_s != inf:
        return f"its preference names {unit.preference}: change that instead"
    named = [s for s in standings(inferred, decided, row.address) if s.node == node]
    if not named:
        return f"{Reason.NODE_UNKNOWN}: {Reason.NODE_UNKNOWN.sentence}"
    if named[0].standing == "may not":
        return f"{named[0].reason}: {named[0].sentence}"
    return ""


def release_refusal(
    inferred: InferredSnapshot, decided: decision.Decision, row: AddressRow
) -> str:
    """Why its owner cannot give the address to another node; empty: it can."""
    if why := _not_elected(decided, row):
        return why
    owner = row.owner
    if not owner:
        return "it has no owner"
    unit = decided.units[row.address]
    if unit.preference == owner and unit.failback_s != inf:
        return f"its preference names {owner}, which would take it back: change that instead"
    others = [s for s in standings(inferred, decided, row.address) if s.node != owner]
    if all(s.standing == "may not" for s in others):
        return "no other node may take it"
    return ""


def _not_elected(decided: decision.Decision, row: AddressRow) -> str:
    """Why the address is in no election of its own; empty: it is."""
    unit = decided.units.get(row.address)
    if unit is None:
        return f"it is {row.state}: {row.reason}: {row.message}"
    if unit.leader:
        return f"it follows {unit.leader}, and goes where that goes: name that one"
    if unit.address not in decided.assignments:
        verdict = decided.address_statuses[unit.address]
        return f"it is {verdict.state}: {verdict.reason}: {verdict.message}"
    return ""
