"""One pass of the operator: from a snapshot to grants, and to what statuses say.

A pass is the pure half of the reconcile loop. It decides everything anew from the snapshot, in
these steps, each in a module of its own:

1. `topologies`, `units`, `reserved_addresses`, `followers`: what people ask for, sorted and
   checked (`Demand`).
2. `eligibility`, `election`, `balancing`: one owner for every address.
3. `handover`: what each node is granted now, so that no address answers from two nodes.
4. `address_status`: what to report about each address; worked out on first access, since no grant
   waits for a status.

The demand changes only when people edit something, or when another host claims an address. In a
fail-over none of it has changed, so a pass takes it over from the last decision, which saves
half of the work. After an edit only the units that it concerns are built again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from duravip_api.guards import Ports
from duravip_api.reasons import Reason
from duravip_operator.core import (
    address_status,
    advisories,
    balancing,
    election,
    failback,
    followers,
    handover,
    readiness,
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
"""What a demand depends on: objects, Topologies, default fencing, claims of nodes, other hosts."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What people ask for, sorted and checked; beside that it depends on node labels only."""

    units: Mapping[str, Unit]
    rejected: Mapping[str, Rejection]
    """By uid of the object."""
    unlinked: Units
    """The units before followers were linked."""
    blocks: topologies.Blocks
    groups: followers.AffinityGroups
    selection: SelectorIndex
    """The index of node selectors that the groups were built with."""
    advice: Mapping[str, tuple[Advisory, ...]]
    """`{uid: conditions}` of single objects."""
    ports: tuple[str, ...]
    """The ports whose listeners agents are to report."""
    ports_decide: bool
    """Whether an address moves by who listens."""
    checked: tuple[Unit, ...]
    """The units for which nodes have to make checks."""
    open_ports: Mapping[str, Ports]
    """The ports that are let in, by address that lets in no others."""


@dataclass(frozen=True)
class Decision:
    """The result of one pass."""

    demand: Demand
    assignments: Mapping[str, election.Assignment]
    plans: Mapping[str, handover.Plan]
    """By node: what its spec is to grant."""
    inputs: Inputs
    """What its demand was worked out from."""
    waiting: frozenset[str]
    """The addresses that wait for their former holder to let go."""
    _eligibility: Eligibility

    @cached_property
    def address_statuses(self) -> Mapping[str, AddressStatus]:
        """By address. Worked out on first access: no grant waits for a status."""
        return address_status.address_statuses(
            self.units, self.assignments, self.waiting, self._eligibility
        )

    @cached_property
    def next_return(self) -> float:
        """When the next address may return to the node that it prefers; infinite: none waits."""
        late = (
            group.units
            for address, group in self.demand.groups.by_leader.items()
            if (preferred := group.leader.preference)
            and preferred != (assignment := self.assignments[address]).owner
            and preferred in assignment.eligible.may_take
        )
        return failback.next_return(late, self._eligibility.snapshot)

    @cached_property
    def checks(self) -> Mapping[str, tuple[str, ...]]:
        """By node: the checks that its agent is to make."""

        def nodes_of(unit: Unit) -> frozenset[str]:
            assignment = self.assignments.get(unit.address)
            return assignment.eligible.could_hold if assignment else frozenset()

        snapshot = self._eligibility.snapshot
        return readiness.checks_by_node(self.demand.checked, nodes_of, snapshot)

    @property
    def units(self) -> Mapping[str, Unit]:
        """By address."""
        return self.demand.units

    @property
    def rejected(self) -> Mapping[str, Rejection]:
        """By uid of the object."""
        return self.demand.rejected

    @property
    def topologies(self) -> tuple[Topology, ...]:
        """All Topologies with their present status, the losers against an older one rejected."""
        status = {topology.name: topology.status for topology in self.inputs[1]}
        return tuple(replace(t, status=status[t.name]) for t in self.demand.blocks.topologies)

    def status_of(self, vip: VipObject) -> AddressStatus:
        """The status of one object: its unit's, plus its own conditions.

        An object that belongs to no unit gets the reason for that.
        """
        if vip.uid in self.rejected:
            return address_status.rejected_status(self.rejected[vip.uid])
        if not vip.address:
            return address_status.unmanaged_status(Reason.NO_ADDRESS)
        status = _without_foreign_names(
            vip, self.units[vip.address], self.address_statuses[vip.address]
        )
        advice = self.demand.advice.get(vip.uid)
        if not advice:
            return status
        shown = {kind for kind, *_ in status.advisories}  # one condition of a type
        others = [advisory for advisory in advice if advisory[0] not in shown]
        return status._replace(advisories=(*status.advisories, *others))

    def addresses_in(self) -> Counter[str]:
        """`{Topology: number of managed addresses}`."""
        return Counter(
            unit.topology.name for unit in self.units.values() if unit.topology and unit.managed
        )


def _without_foreign_names(vip: VipObject, unit: Unit, status: AddressStatus) -> AddressStatus:
    """The status without the names of objects in other namespaces that share the address."""
    others = [one for one in unit.vips if one.namespace != vip.namespace]
    if not others:
        return status

    def hidden(text: str) -> str:
        for other in sorted(others, key=lambda one: one.name, reverse=True):
            text = text.replace(other.label, f"{other.kind} of another namespace")
        return text

    advisories = tuple((kind, why, hidden(text)) for kind, why, text in status.advisories)
    return status._replace(message=hidden(status.message), advisories=advisories)


def decide(
    snapshot: Snapshot, records: releases.ReleaseRecords, last: Decision | None = None
) -> Decision:
    """Decide anew, reusing the parts of the `last` decision whose inputs are the same."""
    inputs = _inputs(snapshot, last)
    is_known = last is not None and _same(last.inputs, inputs)
    eligibility = Eligibility(snapshot, last.demand.selection if last else None)
    selection = eligibility.selection
    demand = last.demand if last and is_known else _demand(snapshot, last, selection)
    if demand.selection is not selection:
        regrouped = followers.build_groups(demand.units, selection)
        demand = replace(demand, groups=regrouped, selection=selection)
    holders = election.current_holders(snapshot)
    before = last.assignments if last else election.NO_ASSIGNMENTS
    elected = election.elect(demand.groups, holders, eligibility, before)
    assignments = balancing.balance(elected, demand.groups.by_leader, holders, snapshot)
    plans, waiting = handover.plan_grants(demand.units, assignments, snapshot, records)
    guarded = (last.plans, last.demand.open_ports) if last else handover.NO_GUARDED_PLANS
    plans = handover.with_guards(plans, demand.open_ports, guarded)
    return Decision(
        demand=demand,
        assignments=assignments,
        plans=plans,
        inputs=inputs,
        waiting=waiting,
        _eligibility=eligibility,
    )


def continue_handover(
    decision: Decision, snapshot: Snapshot, records: releases.ReleaseRecords
) -> Decision:
    """The decision with the same assignments, once former holders have let go.

    What has to wait depends on the snapshot alone, so the plans are safe for any
    assignments.
    """
    plans, waiting = handover.plan_grants(decision.units, decision.assignments, snapshot, records)
    open_ports = decision.demand.open_ports
    plans = handover.with_guards(plans, open_ports, (decision.plans, open_ports))
    eligibility = Eligibility(snapshot, decision.demand.selection)
    return replace(decision, plans=plans, waiting=waiting, _eligibility=eligibility)


def _demand(snapshot: Snapshot, last: Decision | None, selection: SelectorIndex) -> Demand:
    if last and _same_blocks(last.inputs, (*_written(snapshot), NO_CLAIMS, {})):
        blocks = last.demand.blocks
    else:
        blocks = topologies.build_blocks(snapshot.topologies, snapshot.fencing)
    unlinked = build_units(snapshot, blocks, last.demand.unlinked if last else None)
    hosts = reserved_addresses.find_other_hosts(snapshot)
    linked = followers.link_followers(
        reserved_addresses.reject_reserved(unlinked, blocks.topologies, hosts)
    )
    advice = advisories.object_advisories(linked.units, snapshot.vips)
    for uid, condition in reserved_addresses.reserved_advisories(linked.units, hosts).items():
        advice[uid] = (*advice.get(uid, ()), condition)
    return Demand(
        units=linked.units,
        rejected=linked.rejected,
        unlinked=unlinked,
        blocks=blocks,
        groups=followers.build_groups(linked.units, selection),
        selection=selection,
        advice=advice,
        ports=service_consistency.declared_ports(linked.units.values()),
        ports_decide=readiness.asks_for_listeners(linked.units.values()),
        checked=tuple(filter(readiness.asks_for_check, linked.units.values())),
        open_ports={
            address: unit.open_ports
            for address, unit in linked.units.items()
            if unit.open_ports is not None
        },
    )


def _inputs(snapshot: Snapshot, last: Decision | None) -> Inputs:
    unit_inputs = last.demand.unlinked.inputs if last and last.inputs[0] == snapshot.vips else None
    named = unit_inputs.groups if unit_inputs else {vip.address for vip in snapshot.vips}
    return (
        *_written(snapshot),
        node_claims(snapshot, named),
        reserved_addresses.find_other_hosts(snapshot),
    )


def _written(snapshot: Snapshot) -> tuple[tuple[VipObject, ...], tuple[Topology, ...], str]:
    return (snapshot.vips, snapshot.topologies, snapshot.fencing)


def _same(one: Inputs, other: Inputs) -> bool:
    """Whether both have the same demand; statuses of objects do not count."""
    return _same_blocks(one, other) and one[3:] == other[3:] and one[0] == other[0]


def _same_blocks(one: Inputs, other: Inputs) -> bool:
    """Whether both have the same Topologies and default fencing."""
    return one[1:3] == other[1:3]
