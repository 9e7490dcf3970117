"""What each node is granted next, so that no address ever answers from two.

O1  Revoke first: while the spec of any other node grants an address, it is only taken out there.
O2  Free grant: an address is granted when no other node may hold it. A node may hold what it
    reports as served, and what was taken out of its spec and not yet acted upon. (O7: what it
    reports beyond that, or says is its own, stops nobody, but has to be asked for as in O3.) A
    node whose agent has said goodbye holds nothing. What is let go is known first from a beat: it
    names the spec that is acted on, and the digest of what is served.
O3  Contested grant: when all that may hold it are gone, because a witness on their segment heard
    nothing or because they must have muted themselves, the taker asks the wire before it speaks.
O4  A silent node that still answers is not gone, and keeps what it has.
O5  Silence counts only from a witness. A node without one on a segment is fenced strictly there.
O6  First grant: what no node of ours has let go while this leader leads, on its way to this very
    owner, may be a stranger's: it is contested as well (`releases`).

A contested grant becomes a free one with the next write of that spec, once its node serves the
address and nobody else may hold it: else it would be asked for whenever it was muted for a moment.

What was taken out and not yet acted upon is remembered in `Doubts`, one a node, and written into
the very spec that it was taken out of (`unconfirmed`), where the next leader finds it: a node that
is heard, and never acts, hinders nobody but at what it was granted. It counts for the generation
that it names. After a spec was written by somebody else, by hand or by an operator of an older
version, everything is doubted until the agent has acted on what stands there now.

The store may go back to an earlier state, when somebody restores a backup: then specs grant what
was moved since, and statuses say what was true before. Such a node is *estranged*: whatever its
status says it is doubted until its agent has acted on a spec of the present leader, whose epoch
nobody has had before; and all that its spec grants is contested (`restored`).

What was chosen for each node, put together: thousands of addresses, and a handful of shares.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from duravip_api.addresses import union
from duravip_operator.core.election import Assignment
from duravip_operator.core.releases import ReleaseRecord, ReleaseRecords
from duravip_operator.core.snapshot import HEARD_STATES, Placement, Plumbing, Snapshot
from duravip_operator.core.units import Unit

Grants = Mapping[Placement, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the spec of a node shall grant."""

    grants: Grants = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    followers: frozenset[str] = field(default=frozenset(), compare=False)
    """The addresses that are plumbed after all others, since they go where another one is."""

    @property
    def addresses(self) -> frozenset[str]:
        """All that it grants."""
        return union(self.grants.values())

    def is_in(self, plumbing: Plumbing) -> bool:
        """Whether the spec says so already; an entry without addresses says nothing."""
        stands = {where: addresses for where, addresses in plumbing.grants.items() if addresses}
        is_counted = plumbing.granted_count in {None, sum(map(len, stands.values()))}
        return is_counted and stands == self.grants and plumbing.contested == self.contested


def plan_grants(
    units: Mapping[str, Unit],
    choices: Mapping[str, Assignment],
    snapshot: Snapshot,
    memory: ReleaseRecords,
) -> tuple[dict[str, Plan], frozenset[str]]:
    """`({node: what its spec shall grant}, {addresses that wait for their former holder})`.

    What a node is granted already it keeps: only what is new to it needs a closer look.
    """
    shares = shares_by_node(units, choices, snapshot)
    new = {key: share.addresses - share.plumbing.granted for key, share in shares.items()}
    others = _OtherHolders(snapshot, memory, frozenset().union(*new.values()))
    strict = _strict_interfaces(units)
    wanted: dict[str, dict[Placement, set[str]]] = {name: {} for name in snapshot.plumbings}
    contested: dict[str, set[str]] = defaultdict(set)
    waiting: set[str] = set()
    for key, (where, plumbing, addresses) in shares.items():
        owner = plumbing.node
        stopped, asked = others.blocking(owner, where, new[key])
        asked |= others.to_probe(owner, units, new[key] - stopped)
        waiting |= stopped
        if place := addresses - stopped:
            fenced = _effective_fencing(where, plumbing, snapshot, strict)
            wanted[owner].setdefault(fenced, set()).update(place)
            contested[owner] |= asked | (place & plumbing.granted & plumbing.contested)
    made = {
        name: current_plan(snapshot.plumbings[name])
        if _is_unknown(snapshot, name)
        else others.with_settled_grants(
            Plan(_frozen(grants), frozenset(contested[name])), name, units
        )
        for name, grants in wanted.items()
    }
    return made, frozenset(waiting)


class _OtherHolders:
    """Who else may hold some addresses that are new to their owners."""

    def __init__(self, snapshot: Snapshot, memory: ReleaseRecords, new: frozenset[str]) -> None:
        self._snapshot, self._memory = snapshot, memory
        self._granted: set[str] = set()
        self._serving: dict[str, list[str]] = defaultdict(list)
        self._untold = {n for n, p in snapshot.plumbings.items() if not p.lists_all_own}
        self._said: set[str] = set()
        """What nodes report as served that can never have been granted to them."""
        self._released = frozenset().union(*(d.confirmed.released for d in memory.values()))
        self._doubted = {
            n: d for n, d in memory.items() if not (d.is_empty or _has_stopped(snapshot, n))
        }
        for name, plumbing in snapshot.plumbings.items() if new else ():
            granted = plumbing.granted & new
            self._granted |= granted
            if status_counts(snapshot, name):
                served = plumbing.served & (granted if name in snapshot.release_confirmed else new)
                beyond = _beyond(plumbing, served - granted, memory.get(name))
                self._said |= beyond
                for address in served - beyond:
                    self._serving[address].append(name)

    def to_probe(self, owner: str, units: Mapping[str, Unit], new: set[str]) -> set[str]:
        """Those that a node other than the owner may have as an address of its own."""
        return new if self._untold - {owner} else {a for a in new if units[a].claimants}

    def with_settled_grants(self, plan: Plan, owner: str, units: Mapping[str, Unit]) -> Plan:
        """The same with free grants for contested ones that are settled, if it says other news."""
        plumbing = self._snapshot.plumbings[owner]
        if plan.is_in(plumbing):
            return plan
        settled = self._settled(plumbing, plan.contested & plumbing.contested)
        settled -= self.to_probe(owner, units, settled)
        return replace(plan, contested=plan.contested - settled)

    def _settled(self, plumbing: Plumbing, marked: frozenset[str]) -> set[str]:
        """Those that the node serves, having acted on this spec, and nobody else may hold."""
        node, snapshot = plumbing.node, self._snapshot
        is_known = (
            plumbing.has_acted and self._memory.get(node, ReleaseRecord("", 0, None)).is_empty
        )
        if not is_known or snapshot.liveness.get(node) not in HEARD_STATES:
            return set()
        held = [(n, p.served | p.granted) for n, p in snapshot.plumbings.items()]
        held += snapshot.pending_grants.items()
        doubted = self._doubted.items()
        held += [(n, marked if d.unconfirmed is None else d.unconfirmed) for n, d in doubted]
        return set(marked & plumbing.served).difference(*(a for n, a in held if n != node))

    def blocking(
        self, owner: str, where: Placement, new: Iterable[str]
    ) -> tuple[set[str], set[str]]:
        """`({those that must wait for somebody}, {those that the owner has to ask about})`."""
        stopped: set[str] = set()
        asked: set[str] = set()
        pending = self._snapshot.pending_grants.items()
        for address in new:
            others = [node for node in self._serving.get(address, ()) if node != owner]
            others += [n for n, d in self._doubted.items() if n != owner and d.may_hold(address)]
            is_gone = all(self._snapshot.is_gone(node, where) for node in others)
            is_taken = any(address in a for n, a in pending if n != owner)
            if is_taken or address in self._granted or not is_gone:
                stopped.add(address)
            elif others or address in self._said or address not in self._released:
                asked.add(address)
        return stopped, asked


def _beyond(
    plumbing: Plumbing, served: frozenset[str], doubts: ReleaseRecord | None
) -> frozenset[str]:
    """Of what a node reports as served, and is not granted, that which it cannot hold from us.

    An agent acts on a spec only once it serves nothing else. Before that it may still serve what
    was taken out of its spec, which is doubted.
    """
    if plumbing.has_acted:
        return served
    if doubts is None or doubts.unconfirmed is None:
        return frozenset()
    return served - doubts.unconfirmed


def status_counts(snapshot: Snapshot, node: str) -> bool:
    """Whether the word of a node's status counts: not when its agent has said goodbye."""
    plumbing = snapshot.plumbings.get(node)
    return plumbing is not None and not plumbing.stopped


def current_plan(plumbing: Plumbing) -> Plan:
    """What the spec of a node grants as it stands."""
    return Plan(plumbing.grants, plumbing.contested)


def restamped_plan(plumbing: Plumbing, *, is_restored: bool) -> Plan:
    """The same, as a new leader writes it. In a restored store it may be out of date: then it is
    contested, which changes nothing for what the node holds.
    """  # noqa: D205
    return Plan(plumbing.grants, plumbing.granted if is_restored else plumbing.contested)


def _has_stopped(snapshot: Snapshot, node: str) -> bool:
    plumbing = snapshot.plumbings.get(node)
    return plumbing is not None and plumbing.stopped


def _is_unknown(snapshot: Snapshot, node: str) -> bool:
    """Whether its object was made again, with all that it granted, and its agent is silent since.

    As long as nobody knows what it holds, all of that stays granted to it: the next leader could
    not tell its object from that of a node which never had an agent.
    """
    plumbing = snapshot.plumbings[node]
    if plumbing.boot or plumbing.observed_generation is not None or node not in snapshot.nodes:
        return False
    return not all(snapshot.is_gone(node, where) for where in plumbing.grants)


def _strict_interfaces(units: Mapping[str, Unit]) -> frozenset[str]:
    used = {unit.topology.name: unit.topology for unit in units.values() if unit.topology}
    placements = (topology.placement for topology in used.values())
    return frozenset(where.interface for where in placements if where.fencing == "Strict")


def _effective_fencing(
    where: Placement, plumbing: Plumbing, snapshot: Snapshot, strict: frozenset[str]
) -> Placement:
    """The placement with the fencing that is in force on this node and interface (O5).

    One interface has one fencing: strict, if one of its Topologies is, or if there is no witness.
    It is changed only once the agent has acted on the spec as it stands: what both the spec and
    the agent call strict must never have been anything else in between.
    """
    known = {w.fencing for w in plumbing.grants if w.interface == where.interface}
    if known and not plumbing.has_acted:
        return where._replace(fencing="Segment" if "Segment" in known else "Strict")
    witnessed = where.interface in snapshot.witnessed.get(plumbing.node, ())
    is_strict = where.interface in strict or not witnessed
    return where._replace(fencing="Strict" if is_strict else "Segment")


def _frozen(grants: Mapping[Placement, set[str]]) -> Grants:
    return {where: frozenset(addresses) for where, addresses in sorted(grants.items())}


class NodeShare(NamedTuple):
    """The addresses of one Topology that were chosen for one node."""

    where: Placement
    plumbing: Plumbing
    """The node's."""
    addresses: set[str]


def shares_by_node(
    units: Mapping[str, Unit], choices: Mapping[str, Assignment], snapshot: Snapshot
) -> dict[tuple[str, str], NodeShare]:
    """By node and Topology; a node without a NodePlumbing has none."""
    shares: dict[tuple[str, str], NodeShare] = {}
    for address, choice in choices.items():
        owner, topology = choice.owner, units[address].topology
        if not owner or topology is None:
            continue
        share = shares.get((owner, topology.name))
        if share is not None:
            share.addresses.add(address)
        elif owner in snapshot.plumbings:
            share = NodeShare(topology.placement, snapshot.plumbings[owner], {address})
            shares[owner, topology.name] = share
    return shares
