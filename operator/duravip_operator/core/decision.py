"""One pass of the operator, whole: from a snapshot to grants and verdicts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from duravip_api.reasons import Reason
from duravip_operator.core import (
    address_status,
    advisories,
    balancing,
    election,
    followers,
    handover,
    releases,
    reserved_addresses,
    service_consistency,
    topologies,
)
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.node_addresses import NO_CLAIMS, NodeClaims, node_claims
from duravip_operator.core.node_selectors import SelectorIndex
from duravip_operator.core.snapshot import Advisory, Rejection, Snapshot, Topology, VipObject
from duravip_operator.core.units import Unit, Units, build_units

Inputs = tuple[
    tuple[VipObject, ...], tuple[Topology, ...], str, NodeClaims, reserved_addresses.OtherHosts
]
"""All entities and Topologies, the default fencing, and who else has, or claims, addresses."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What people ask for, sorted: of other facts only the nodes' labels are in it."""

    units: Mapping[str, Unit]
    rejected: Mapping[str, Rejection]
    """By uid of the entity."""
    unlinked: Units
    """The units before it is looked at who follows whom."""
    blocks: topologies.Blocks
    groups: followers.AffinityGroups
    selection: SelectorIndex
    """Whom the selectors match: the parties were made with it."""
    advice: Mapping[str, tuple[Advisory, ...]]
    """What single entities are advised, by uid."""
    ports: tuple[str, ...]
    """Those that agents are to look at."""


@dataclass(frozen=True)
class Decision:
    """What one pass came to."""

    demand: Demand
    assignments: Mapping[str, election.Assignment]
    plans: Mapping[str, handover.Plan]
    """What the spec of each node shall grant."""
    inputs: Inputs
    """What it was decided from, as far as people have asked for it."""
    waiting: frozenset[str]
    """The addresses that wait for their former holder to let go."""
    _eligibility: Eligibility

    @cached_property
    def address_statuses(self) -> Mapping[str, AddressStatus]:
        """By address. Worked out when they are asked for: no grant waits for a status."""
        return address_status.address_statuses(
            self.units, self.assignments, self.waiting, self._eligibility
        )

    @property
    def units(self) -> Mapping[str, Unit]:
        """By address."""
        return self.demand.units

    @property
    def rejected(self) -> Mapping[str, Rejection]:
        """By uid of the entity."""
        return self.demand.rejected

    @property
    def topologies(self) -> tuple[Topology, ...]:
        """All of them with their present status, those that lost to an older one rejected."""
        status = {topology.name: topology.status for topology in self.inputs[1]}
        return tuple(replace(t, status=status[t.name]) for t in self.demand.blocks.topologies)

    def status_of(self, vip: VipObject) -> AddressStatus:
        """What is said of one entity: of its unit, unless it belongs to none."""
        if vip.uid in self.rejected:
            return address_status.rejected_status(self.rejected[vip.uid])
        if not vip.address:
            return address_status.unmanaged_status(Reason.NO_ADDRESS)
        verdict = _told_to(vip, self.units[vip.address], self.address_statuses[vip.address])
        advice = self.demand.advice.get(vip.uid)
        if not advice:
            return verdict
        said = {kind for kind, *_ in verdict.advisories}  # one condition of a type
        more = [advisory for advisory in advice if advisory[0] not in said]
        return verdict._replace(advisories=(*verdict.advisories, *more))

    def addresses_in(self) -> Counter[str]:
        """`{Topology: how many managed addresses}`."""
        return Counter(
            unit.topology.name for unit in self.units.values() if unit.topology and unit.managed
        )


def _told_to(vip: VipObject, unit: Unit, verdict: AddressStatus) -> AddressStatus:
    """The same without the names of objects in other namespaces, which may share the address."""
    others = [one for one in unit.vips if one.namespace != vip.namespace]
    if not others:
        return verdict

    def hidden(text: str) -> str:
        for other in sorted(others, key=lambda one: one.name, reverse=True):
            text = text.replace(other.label, f"{other.kind} of another namespace")
        return text

    advisories = tuple((kind, why, hidden(text)) for kind, why, text in verdict.advisories)
    return verdict._replace(message=hidden(verdict.message), advisories=advisories)


def decide(
    snapshot: Snapshot, memory: releases.ReleaseRecords, last: Decision | None = None
) -> Decision:
    """Decide everything anew from the state of the world.

    What people wrote need not be sorted again where the `last` decision has done so: that is half
    of the work, and in a fail-over none of it has changed. After an edit only the units that it
    concerns are made again.
    """
    asked = _asked(snapshot, last)
    is_known = last is not None and _same(last.inputs, asked)
    eligibility = Eligibility(snapshot, last.demand.selection if last else None)
    selection = eligibility.selection
    wanted = last.demand if last and is_known else _wanted(snapshot, last, selection)
    if wanted.selection is not selection:
        again = followers.build_groups(wanted.units, selection)
        wanted = replace(wanted, groups=again, selection=selection)
    holders = election.current_holders(snapshot)
    before = last.assignments if last else election.NO_ASSIGNMENTS
    elected = election.elect(wanted.groups, holders, eligibility, before)
    choices = balancing.balance(elected, wanted.groups.by_leader, holders, snapshot)
    plans, waiting = handover.plan_grants(wanted.units, choices, snapshot, memory)
    return Decision(
        demand=wanted,
        assignments=choices,
        plans=plans,
        inputs=asked,
        waiting=waiting,
        _eligibility=eligibility,
    )


def continue_handover(
    begun: Decision, snapshot: Snapshot, memory: releases.ReleaseRecords
) -> Decision:
    """The same choices, one step further: to be made when former holders have let go meanwhile.

    Whom the plans make wait depends on the snapshot alone: they are safe whatever was chosen.
    """
    plans, waiting = handover.plan_grants(begun.units, begun.assignments, snapshot, memory)
    eligibility = Eligibility(snapshot, begun.demand.selection)
    return replace(begun, plans=plans, waiting=waiting, _eligibility=eligibility)


def _wanted(snapshot: Snapshot, last: Decision | None, selection: SelectorIndex) -> Demand:
    if last and _same_blocks(last.inputs, (*_written(snapshot), NO_CLAIMS, {})):
        blocks = last.demand.blocks
    else:
        blocks = topologies.build_blocks(snapshot.topologies, snapshot.fencing)
    alone = build_units(snapshot, blocks, last.demand.unlinked if last else None)
    hosts = reserved_addresses.find_other_hosts(snapshot)
    judged = followers.link_followers(
        reserved_addresses.reject_reserved(alone, blocks.topologies, hosts)
    )
    advice = advisories.object_advisories(judged.units, snapshot.vips)
    for uid, said in reserved_addresses.reserved_advisories(judged.units, hosts).items():
        advice[uid] = (*advice.get(uid, ()), said)
    return Demand(
        units=judged.units,
        rejected=judged.rejected,
        unlinked=alone,
        blocks=blocks,
        groups=followers.build_groups(judged.units, selection),
        selection=selection,
        advice=advice,
        ports=service_consistency.declared_ports(judged.units.values()),
    )


def _asked(snapshot: Snapshot, last: Decision | None) -> Inputs:
    basis = last.demand.unlinked.inputs if last and last.inputs[0] == snapshot.vips else None
    named = basis.groups if basis else {vip.address for vip in snapshot.vips}
    return (
        *_written(snapshot),
        node_claims(snapshot, named),
        reserved_addresses.find_other_hosts(snapshot),
    )


def _written(snapshot: Snapshot) -> tuple[tuple[VipObject, ...], tuple[Topology, ...], str]:
    return (snapshot.vips, snapshot.topologies, snapshot.fencing)


def _same(one: Inputs, other: Inputs) -> bool:
    """Whether people ask for the same; what differs in a status is not theirs."""
    return _same_blocks(one, other) and one[3:] == other[3:] and one[0] == other[0]


def _same_blocks(one: Inputs, other: Inputs) -> bool:
    """Whether Topologies and fencing are the same."""
    return one[1:3] == other[1:3]
