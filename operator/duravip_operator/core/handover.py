"""What each node is granted next, so that no address ever answers from two nodes.

The operator moves an address by two writes: it takes the address out of the spec of the node
that has it (revoke), and, once that node has let it go, puts it into the spec of the next
(grant). Everything is computed anew in every pass from the present state of the world, so a
crash or a change of leader between the two writes loses nothing. These rules are the operator's
half of the protocol; the agent's half is in `duravip_agent.core.fencing`. The simulation
(tests/simulation) walks both through interrupted and reordered steps.

O1  Revoke first. While the spec of any other node grants an address, it is only revoked there.
O2  Free grant. An address is granted when no other node may hold it. A node may hold what it
    reports as served, and what was taken out of its spec and is not confirmed to be released
    (`releases`). A node whose agent has shut down holds nothing. A release is confirmed first by a
    heartbeat: it names the spec that was acted on and the digest of what is served.
O3  Contested grant. When all nodes that may hold an address are gone, because a witness on their
    segment got no answer or because they must have muted themselves, the address is granted, but
    the taker probes for it before it announces it.
O4  A suspect node that still answers probes is not gone, and keeps what it has.
O5  Silence counts only where there is a witness. A node without one on a segment is fenced
    strictly there: its agent mutes the interface when its heartbeats are not acknowledged.
O6  First grant. What no node of ours has let go while this leader leads, on its way to this very
    owner, may be a stranger's, so the grant is contested as well.
O7  One node's word takes nothing from another. What a node reports as served beyond what we can
    have granted it, or claims as its own (`node_addresses`), blocks no grant, but makes it
    contested.

What this guarantees: of two nodes that both follow the protocol, at most one announces an
address at any time. A node that does not follow it, or that is partitioned, is met by O3 to O5:
by probes from its own segment, or by fencing.

A contested grant becomes a free one with the next write of that spec, once its node serves the
address and no other node may hold it. Otherwise the address would be probed for, which takes 35
ms, whenever it was muted for a moment; a write of its own would cost more than that.

The store may go back to an earlier state when somebody restores a backup: then specs grant what
was moved since, and statuses say what was true before. A node that is *ahead of the store*
(`heartbeat_evidence`) may hold any address, whatever its status says, until its agent has acted
on a spec of the present leader, whose epoch no leader has had before; and every grant in its
spec is contested.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import NamedTuple

from duravip_api.addresses import union
from duravip_api.guards import Ports, format_guards, group_guards
from duravip_operator.core.election import Assignment
from duravip_operator.core.releases import ReleaseRecord, ReleaseRecords
from duravip_operator.core.silent_nodes import is_gone_from
from duravip_operator.core.snapshot import HEARD_STATES, Placement, Plumbing, Snapshot, Topology
from duravip_operator.core.units import Unit

Grants = Mapping[Placement, frozenset[str]]
"""`{placement: addresses}`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the spec of a node is to grant."""

    grants: Grants = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    """The addresses that the agent must probe for before it takes them."""
    guarded: tuple[str, ...] = ()
    """Those that let in declared ports alone, as a spec lists them (`duravip_api.guards`)."""
    followers: frozenset[str] = field(default=frozenset(), compare=False)
    """The addresses that are plumbed after all others because they follow another one."""

    @property
    def addresses(self) -> frozenset[str]:
        """All addresses that it grants."""
        return union(self.grants.values())

    def is_in(self, plumbing: Plumbing) -> bool:
        """Whether the spec grants exactly this already; empty entries do not count."""
        stands = {where: addresses for where, addresses in plumbing.grants.items() if addresses}
        is_counted = plumbing.granted_count in {None, sum(map(len, stands.values()))}
        is_granted = stands == self.grants and plumbing.contested == self.contested
        return is_counted and is_granted and plumbing.guarded == self.guarded


def plan_grants(
    units: Mapping[str, Unit],
    assignments: Mapping[str, Assignment],
    snapshot: Snapshot,
    records: ReleaseRecords,
) -> tuple[dict[str, Plan], frozenset[str]]:
    """`({node: what its spec is to grant}, {addresses that wait for their former holder})`.

    What a node is granted already it keeps without a check; only what is new to it is checked
    against rules O1 to O7.
    """
    node_shares = shares_by_node(units, assignments, snapshot)
    new = {key: share.addresses - share.plumbing.granted for key, share in node_shares.items()}
    others = _OtherHolders(snapshot, records, frozenset().union(*new.values()))
    strict = _strict_topologies(units)
    grants_by_node: dict[str, dict[Placement, set[str]]] = {
        name: {} for name in snapshot.plumbings
    }
    contested: dict[str, set[str]] = defaultdict(set)
    waiting: set[str] = set()
    for key, (topology, plumbing, addresses) in node_shares.items():
        owner = plumbing.node
        blocked, to_probe = others.blocking(owner, topology, new[key])
        to_probe |= others.claimed_elsewhere(owner, units, new[key] - blocked)
        waiting |= blocked
        if place := addresses - blocked:
            where = snapshot.placement_on(owner, topology)
            interfaces = frozenset(snapshot.interface_on(owner, t).name for t in strict)
            fenced = _effective_fencing(where, plumbing, snapshot, interfaces)
            grants_by_node[owner].setdefault(fenced, set()).update(place)
            contested[owner] |= to_probe | (place & plumbing.granted & plumbing.contested)
    plans = {
        name: current_plan(snapshot.plumbings[name])
        if _is_unknown(snapshot, name)
        else others.with_settled_grants(
            Plan(_frozen(grants), frozenset(contested[name])), name, units
        )
        for name, grants in grants_by_node.items()
    }
    return plans, frozenset(waiting)


GuardedPlans = tuple[Mapping[str, Plan], Mapping[str, Ports]]
"""`(plans, the open ports of all guarded addresses)` of one pass."""

NO_GUARDED_PLANS: GuardedPlans = ({}, {})


def with_guards(
    plans: Mapping[str, Plan],
    open_ports: Mapping[str, Ports],
    last: GuardedPlans,
) -> dict[str, Plan]:
    """The plans, with the guards of what they grant: both are written together.

    `open_ports` are those of all guarded addresses. `last` are the plans and open ports of the
    pass before: lists of what has not changed are taken over. A plan that keeps what was granted
    before keeps its guards as well.
    """
    last_plans, last_ports = last
    changed: set[str] = set()
    if open_ports is not last_ports:  # which is so after an edit
        changed.update(a for a, ports in open_ports.items() if last_ports.get(a) != ports)
        changed.update(last_ports.keys() - open_ports.keys())
    guarded: dict[str, Plan] = {}
    for name, plan in plans.items():
        before = last_plans.get(name)
        if plan.guarded:
            guarded[name] = plan
        elif before and before.grants == plan.grants and changed.isdisjoint(plan.addresses):
            guarded[name] = replace(plan, guarded=before.guarded) if before.guarded else plan
        else:
            items = format_guards(group_guards(open_ports, plan.addresses)) if open_ports else ()
            guarded[name] = replace(plan, guarded=tuple(items)) if items else plan
    return guarded


class _OtherHolders:
    """Which other nodes may hold the addresses that are new to their owners."""

    def __init__(self, snapshot: Snapshot, records: ReleaseRecords, new: frozenset[str]) -> None:
        self._snapshot, self._records = snapshot, records
        self._granted: set[str] = set()
        self._serving: dict[str, list[str]] = defaultdict(list)
        self._with_more_own = {n for n, p in snapshot.plumbings.items() if not p.lists_all_own}
        self._beyond_grants: set[str] = set()
        """Addresses that nodes report as served though they can never have been granted to
        them."""
        self._released = frozenset().union(
            *(record.confirmed.released for record in records.values())
        )
        self._unconfirmed = {
            n: record
            for n, record in records.items()
            if not (record.is_empty or _has_stopped(snapshot, n))
        }
        for name, plumbing in snapshot.plumbings.items() if new else ():
            granted = plumbing.granted & new
            self._granted |= granted
            if status_counts(snapshot, name):
                served = plumbing.served & (granted if name in snapshot.release_confirmed else new)
                beyond = _beyond(plumbing, served - granted, records.get(name))
                self._beyond_grants |= beyond
                for address in served - beyond:
                    self._serving[address].append(name)

    def claimed_elsewhere(self, owner: str, units: Mapping[str, Unit], new: set[str]) -> set[str]:
        """Those that a node other than the owner may have as an address of its own (O7)."""
        return new if self._with_more_own - {owner} else {a for a in new if units[a].claimants}

    def with_settled_grants(self, plan: Plan, owner: str, units: Mapping[str, Unit]) -> Plan:
        """The plan with settled contested grants made free, unless the spec says it already."""
        plumbing = self._snapshot.plumbings[owner]
        if plan.is_in(plumbing):
            return plan
        settled = self._settled(plumbing, plan.contested & plumbing.contested)
        settled -= self.claimed_elsewhere(owner, units, settled)
        return replace(plan, contested=plan.contested - settled)

    def _settled(self, plumbing: Plumbing, marked: frozenset[str]) -> set[str]:
        """Those that the node serves, having acted on this spec, and no other may hold."""
        node, snapshot = plumbing.node, self._snapshot
        is_known = (
            plumbing.has_acted and self._records.get(node, ReleaseRecord("", 0, None)).is_empty
        )
        if not is_known or snapshot.liveness.get(node) not in HEARD_STATES:
            return set()
        held = [(n, p.served | p.granted) for n, p in snapshot.plumbings.items()]
        held += snapshot.pending_grants.items()
        doubted = self._unconfirmed.items()
        held += [
            (n, marked if record.unconfirmed is None else record.unconfirmed)
            for n, record in doubted
        ]
        return set(marked & plumbing.served).difference(*(a for n, a in held if n != node))

    def blocking(
        self, owner: str, topology: Topology, new: Iterable[str]
    ) -> tuple[set[str], set[str]]:
        """`({addresses that wait for a former holder}, {addresses to be probed for})`."""
        blocked: set[str] = set()
        to_probe: set[str] = set()
        pending = self._snapshot.pending_grants.items()
        is_node_gone = cache(partial(is_gone_from, self._snapshot, topology=topology))
        for address in new:
            others = [node for node in self._serving.get(address, ()) if node != owner]
            others += [
                n
                for n, record in self._unconfirmed.items()
                if n != owner and record.may_hold(address)
            ]
            is_gone = all(map(is_node_gone, others))
            is_taken = any(address in a for n, a in pending if n != owner)
            if is_taken or address in self._granted or not is_gone:
                blocked.add(address)
            elif others or address in self._beyond_grants or address not in self._released:
                to_probe.add(address)
        return blocked, to_probe


def _beyond(
    plumbing: Plumbing, served: frozenset[str], record: ReleaseRecord | None
) -> frozenset[str]:
    """Of the addresses served without a grant, those that the node cannot hold from us (O7).

    An agent acts on a spec only once it serves nothing else. Before that it may still serve
    what was taken out of its spec: those addresses are unconfirmed releases.
    """
    if plumbing.has_acted:
        return served
    if record is None or record.unconfirmed is None:
        return frozenset()
    return served - record.unconfirmed


def status_counts(snapshot: Snapshot, node: str) -> bool:
    """Whether what a node's status reports as served counts: not once its agent has shut down."""
    plumbing = snapshot.plumbings.get(node)
    return plumbing is not None and not plumbing.stopped


def current_plan(plumbing: Plumbing) -> Plan:
    """What the spec of a node grants as it stands."""
    return Plan(plumbing.grants, plumbing.contested, plumbing.guarded)


def restamped_plan(plumbing: Plumbing, *, is_restored: bool) -> Plan:
    """The present grants, as a new leader rewrites them under its own epoch.

    In a restored store the spec may be out of date, so all of it is contested; for addresses
    that the node holds that changes nothing.
    """
    contested = plumbing.granted if is_restored else plumbing.contested
    return Plan(plumbing.grants, contested, plumbing.guarded)


def _has_stopped(snapshot: Snapshot, node: str) -> bool:
    plumbing = snapshot.plumbings.get(node)
    return plumbing is not None and plumbing.stopped


def _is_unknown(snapshot: Snapshot, node: str) -> bool:
    """Whether its object was re-created with all grants, and its agent is silent since.

    While nobody knows what the node holds, it keeps those grants: otherwise the next leader
    could not tell its object from that of a node that never had an agent.
    """
    plumbing = snapshot.plumbings[node]
    if plumbing.boot or plumbing.observed_generation is not None or node not in snapshot.nodes:
        return False
    return not all(snapshot.is_gone(node, where) for where in plumbing.grants)


def _strict_topologies(units: Mapping[str, Unit]) -> list[Topology]:
    used = {unit.topology.name: unit.topology for unit in units.values() if unit.topology}
    return [topology for topology in used.values() if topology.placement.fencing == "Strict"]


def _effective_fencing(
    where: Placement, plumbing: Plumbing, snapshot: Snapshot, strict: frozenset[str]
) -> Placement:
    """The placement with the fencing that is in force on this node and interface (O5).

    One interface has one fencing: strict, if one of its Topologies is strict or there is no
    witness. It changes only once the agent has acted on the spec as it stands: an interface
    that both the spec and the agent call strict must not have been anything else in between.
    """
    present_fencing = {w.fencing for w in plumbing.grants if w.interface == where.interface}
    if present_fencing and not plumbing.has_acted:
        return where._replace(fencing="Segment" if "Segment" in present_fencing else "Strict")
    witnessed = where.interface in snapshot.witnessed.get(plumbing.node, ())
    is_strict = where.interface in strict or not witnessed
    return where._replace(fencing="Strict" if is_strict else "Segment")


def _frozen(grants: Mapping[Placement, set[str]]) -> Grants:
    return {where: frozenset(addresses) for where, addresses in sorted(grants.items())}


class NodeShare(NamedTuple):
    """The addresses of one Topology that are assigned to one node."""

    topology: Topology
    plumbing: Plumbing
    """The node's NodePlumbing."""
    addresses: set[str]


def shares_by_node(
    units: Mapping[str, Unit], assignments: Mapping[str, Assignment], snapshot: Snapshot
) -> dict[tuple[str, str], NodeShare]:
    """`{(node, Topology): share}`; a node without a NodePlumbing or an interface has none.

    Puts thousands of assignments together into a handful of shares.
    """
    node_shares: dict[tuple[str, str], NodeShare] = {}
    for address, assignment in assignments.items():
        owner, topology = assignment.owner, units[address].topology
        if not owner or topology is None:
            continue
        share = node_shares.get((owner, topology.name))
        if share is not None:
            share.addresses.add(address)
        elif owner in snapshot.plumbings and snapshot.interface_on(owner, topology).name:
            share = NodeShare(topology, snapshot.plumbings[owner], {address})
            node_shares[owner, topology.name] = share
    return node_shares
