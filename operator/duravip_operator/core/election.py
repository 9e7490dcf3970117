"""One owner for every address: a calculation with tables in and a table out.

Addresses are elected in *affinity groups*, a leader with its followers (`followers`): a group
goes to one node that may hold all of it. The election runs in two rounds, each in ascending
order of the leaders' addresses. The first round places groups whose owner does not depend on
load:

1. The node named by a `move-to` request, or else the preferred node, if that node may take the
   group and, where another node may keep it, may have it back already (`failback`). Where no node
   is fit (`readiness`), a preference does not move it.
2. Else the node that has it, if it may keep it and is not to release it (or no other node may take
   it). This is what makes the election stable: no address moves without a cause.

The second round places the others by load, those first to which rule 4 applies. The load of a node
is the number of addresses given to it so far in this election, by the first round as well:

3. The preferred node, if it may take the group though it is suspected.
4. The node chosen by the last decision, if it still may take the group and has room. While the
   former holder lets go, passes go on, and each would otherwise choose another node.
5. The least loaded node that may take it, if it has room (`max_aliases`). Tie-break: of equally
   loaded nodes the next one in the order of names, counted from a position that the address gives
   (its number modulo the number of candidates). So every replica chooses the same node, and
   consecutive addresses spread over all nodes.
6. Else the node that has it, if it may keep it, or is merely not fit: no other node has room.
7. Else unassigned. A group whose only node is lost stays granted to that node, with reason
   `OwnerLost`: taking it away would help unassigned.

What this guarantees: the result depends on the facts alone, never on the order in which they
arrived, so all replicas and every new leader agree. A group is placed on a node that may take
or keep it, or nowhere. When a node is lost, only the addresses that it had move. New addresses
are spread evenly.

Rule 2 covers nearly all addresses in nearly every pass. `_keep` therefore places addresses that
are interchangeable (same Topology, preference and matching nodes; no followers, no request)
with set operations, without looking at any single one of them.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from duravip_api.addresses import to_int
from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core import failback
from duravip_operator.core.eligibility import Eligibility
from duravip_operator.core.eligible import Eligible
from duravip_operator.core.followers import AffinityGroup, AffinityGroups
from duravip_operator.core.snapshot import Snapshot
from duravip_operator.core.units import Unit

_CAUSES = {
    Reason.NODE_SILENT: MoveReason.NODE_LOST,
    Reason.NODE_EXCLUDED: MoveReason.DRAIN,
    Reason.NODE_STOPPED: MoveReason.DRAIN,
    Reason.INTERFACE_DOWN: MoveReason.LINK_DOWN,
    Reason.INTERFACE_UNUSABLE: MoveReason.LINK_DOWN,
    Reason.MUTED: MoveReason.NODE_LOST,
    Reason.UNFENCED: MoveReason.NODE_LOST,
    Reason.AGENT_FAILING: MoveReason.NODE_LOST,
    Reason.REPAIR_FAILED: MoveReason.REPAIR_FAILED,
    Reason.NODE_ADDRESS: MoveReason.EDITED,
    Reason.NODE_CONTRADICTS: MoveReason.NODE_LOST,
    Reason.NO_READY_ENDPOINT: MoveReason.READINESS,
    Reason.SERVICE_UNKNOWN: MoveReason.READINESS,
    Reason.NOT_LISTENING: MoveReason.READINESS,
    Reason.CHECK_FAILED: MoveReason.READINESS,
}


class Assignment(NamedTuple):
    """The election's result for one address. Thousands of addresses share one object."""

    owner: str
    """The node that is to have it; empty: none."""
    eligible: Eligible
    """Which nodes may hold it, and why the others may not."""
    cause: MoveReason = MoveReason.ELECTED
    """Why the owner differs from the node that had it; meaningless if it does not."""
    reason: Reason = Reason.ELECTED
    """Why there is no owner."""

    @property
    def participants(self) -> int:
        """How many nodes may take it."""
        return len(self.eligible.may_take)


Assignments = Mapping[str, Assignment]
"""By address."""
NO_ASSIGNMENTS: Assignments = MappingProxyType({})


def elect(
    groups: AffinityGroups,
    holders: Mapping[str, str],
    eligibility: Eligibility,
    last: Assignments = NO_ASSIGNMENTS,
) -> dict[str, Assignment]:
    """`{address: Assignment}` for every unit that can have an owner at all.

    `holders` gives, for each address, the node that has it or is about to have it; `last` is
    what the last decision chose.
    """
    snapshot = eligibility.snapshot
    table = _AssignmentTable(snapshot.max_aliases)
    _keep(table, groups, holders, eligibility)
    waiting: list[_Unplaced] = []
    for address in sorted(groups.by_leader.keys() - table.assignments.keys(), key=to_int):
        group = groups.by_leader[address]
        leader, holder = group.leader, holders.get(address, "")
        eligible = eligibility.of(*group)
        owner = _forced_owner(group, eligible, holder, snapshot)
        if owner:
            table.record(group, eligible, owner, holder)
        else:
            may_take = _candidates(leader, eligible)
            previous = last.get(leader.address)
            intended = previous.owner if previous and previous.owner in may_take else ""
            waiting.append(_Unplaced(not intended, group, eligible, may_take, intended, holder))
    waiting.sort(key=lambda unplaced: unplaced.is_new)
    for unplaced in waiting:
        owner = table.place_for(unplaced)
        if owner:
            table.record(unplaced.group, unplaced.eligible, owner, unplaced.holder)
        else:
            table.record_none(unplaced)
    return table.assignments


def current_holders(snapshot: Snapshot) -> dict[str, str]:
    """`{address: node}`: the node that is granted each address.

    If several are, by mistake or because a NodePlumbing was edited by hand: the one that serves
    it, else the first by name.
    """
    holders: dict[str, str] = {}
    for name in sorted(snapshot.plumbings):
        plumbing = snapshot.plumbings[name]
        granted = plumbing.granted
        if not holders.keys().isdisjoint(granted):
            granted = granted.difference(holders) | (granted & plumbing.served)
        holders.update(dict.fromkeys(granted, name))
    return holders


def _keep(
    table: "_AssignmentTable",
    groups: AffinityGroups,
    holders: Mapping[str, str],
    eligibility: Eligibility,
) -> None:
    """Place all interchangeable addresses that stay where they are, by set operations.

    Does nothing if any address has two holders: then each is looked at.
    """
    granted = {name: p.granted for name, p in eligibility.snapshot.plumbings.items()}
    if sum(map(len, granted.values())) != len(holders):
        return
    for unit, addresses in groups.interchangeable:
        eligible = eligibility.of_interchangeable(unit)
        if eligible is None:
            return
        if unit.readiness:
            addresses = addresses - eligibility.snapshot.just_moved  # noqa: PLW2901
        nodes = eligible.may_keep
        is_at_home = unit.preference in eligible.may_take and not eligible.stays
        if is_at_home and failback.is_over((unit,), unit.preference, eligibility.snapshot):
            nodes = frozenset({unit.preference})
        if len(nodes) <= len(addresses):
            for node in sorted(nodes):
                table.keep(node, eligible, addresses & granted[node])
            continue
        for address in addresses:
            if (holder := holders.get(address, "")) in nodes:
                table.keep(holder, eligible, (address,))


class _Unplaced(NamedTuple):
    """A group that the second round places, by load."""

    is_new: bool
    """Whether the last decision gives no owner that it could go to."""
    group: AffinityGroup
    eligible: Eligible
    may_take: frozenset[str]
    intended: str
    """The owner that the last decision chose and that may still take it; else empty."""
    holder: str


def _forced_owner(
    group: AffinityGroup, eligible: Eligible, holder: str, snapshot: Snapshot
) -> str:
    """The owner by the rules of the first round, without a look at loads; empty: none."""
    leader, request = group.leader, group.leader.request
    if request and not request.releases:
        wanted_node = request.node
    else:
        wanted_node = leader.preference
        is_kept = wanted_node and holder in eligible.may_keep
        if is_kept and (
            eligible.stays or not failback.is_over(group.units, wanted_node, snapshot)
        ):
            wanted_node = ""
    if wanted_node in eligible.may_take and wanted_node not in eligible.suspected:
        return wanted_node
    if holder not in eligible.may_keep:
        return ""
    if request and request.releases and request.node == holder:
        others = eligible.may_take - eligible.suspected - {holder}
        return "" if others else holder
    return holder


def _candidates(leader: Unit, eligible: Eligible) -> frozenset[str]:
    """The nodes that the group may go to."""
    request = leader.request
    if request and request.releases:
        return eligible.may_take - {request.node} or eligible.may_take
    if eligible.fit_first and leader.preference not in eligible.may_take:
        return eligible.fit_first
    return eligible.may_take


def _cause(leader: Unit, eligible: Eligible, former: str, owner: str) -> MoveReason:
    """Why the group goes to another node than the one that had it."""
    if former not in eligible.may_keep:
        return _CAUSES.get(eligible.refusals.get(former, Reason.NODE_UNKNOWN), MoveReason.EDITED)
    request = leader.request
    is_asked = request and request.node == (former if request.releases else owner)
    return MoveReason.REQUESTED if is_asked else MoveReason.PREFERENCE


def cause_of_loss(assignment: Assignment, former: str) -> MoveReason:
    """Why a former owner lost the address, even if it is to have it again."""
    if assignment.owner != former:
        return assignment.cause
    refusal = assignment.eligible.refusals.get(former)
    return _CAUSES.get(refusal, MoveReason.ELECTED) if refusal else MoveReason.ELECTED


class _AssignmentTable:
    """The assignments made so far in one election, and the loads that follow from them."""

    def __init__(self, most: int) -> None:
        self.assignments: dict[str, Assignment] = {}
        self._loads = LoadTable(most)
        self._shared: dict[tuple[str, int, int], Assignment] = {}
        """Most addresses of a node share one Assignment: by owner, Eligible and cause."""

    def keep(self, owner: str, eligible: Eligible, addresses: Collection[str]) -> None:
        """Leave all of these with the owner that has them."""
        if addresses:
            self._loads.add(owner, len(addresses))
            assignment = self._assignment(owner, eligible, MoveReason.ELECTED)
            self.assignments.update(dict.fromkeys(addresses, assignment))

    def place_for(self, unplaced: _Unplaced) -> str:
        """The owner of a group by the rules of the second round; empty: none."""
        leader, weight = unplaced.group.leader, unplaced.group.weight
        if leader.preference in unplaced.may_take:
            return leader.preference
        if unplaced.intended and self._loads.has_room(unplaced.intended, weight):
            return unplaced.intended
        least = self._loads.least_loaded(unplaced.may_take, leader.address)
        if least and self._loads.has_room(least, weight):
            return least
        eligible = unplaced.eligible
        is_kept = unplaced.holder in eligible.may_keep | eligible.last_resort
        return unplaced.holder if is_kept else ""

    def record(self, group: AffinityGroup, eligible: Eligible, owner: str, former: str) -> None:
        """Assign the group to this owner."""
        leader, followers = group
        self._loads.add(owner, 1 + len(followers))
        cause = MoveReason.ELECTED
        if former and former != owner:
            cause = _cause(leader, eligible, former, owner)
        self.assignments[leader.address] = self._assignment(owner, eligible, cause)
        for follower in followers:
            self.assignments[follower.address] = self._assignment(
                owner, eligible, MoveReason.FOLLOW
            )

    def record_none(self, unplaced: _Unplaced) -> None:
        """Record that the group has no owner, and why."""
        holder, eligible = unplaced.holder, unplaced.eligible
        if holder in eligible.lost:
            unassigned = Assignment(holder, eligible, reason=Reason.OWNER_LOST)
        elif eligible.may_take:
            unassigned = Assignment("", eligible, reason=Reason.CAPACITY_EXCEEDED)
        else:
            unassigned = Assignment("", eligible, reason=Reason.NO_PARTICIPANT)
        for unit in (unplaced.group.leader, *unplaced.group.followers):
            self.assignments[unit.address] = unassigned

    def _assignment(self, owner: str, eligible: Eligible, cause: MoveReason) -> Assignment:
        key = (owner, id(eligible), id(cause))
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = Assignment(owner, eligible, cause)
        return shared


class LoadTable:
    """How many addresses each node is given during one election.

    Loads only grow within one election, so a set's least load never falls: `_Ring.least` caches
    it.
    """

    def __init__(self, most: int) -> None:
        """`most` is how many addresses a node may have."""
        self._most = most
        self._load: Counter[str] = Counter()
        self._rings: dict[frozenset[str], _Ring] = {}

    def add(self, node: str, weight: int) -> None:
        """Add `weight` addresses to the node's load."""
        self._load[node] += weight

    def has_room(self, node: str, weight: int) -> bool:
        """Whether the node may get `weight` more addresses."""
        return self._load[node] + weight <= self._most

    def least_loaded(self, nodes: frozenset[str], address: str) -> str:
        """The least loaded node; ties are broken from a position that the address gives.

        Empty when there are no nodes.
        """
        if not nodes:
            return ""
        ring = self._rings.get(nodes)
        if ring is None:
            ring = self._rings[nodes] = _Ring(sorted(nodes))
        start = (to_int(address)[1] - 1) % len(ring.names)  # a network's first host is number 1
        while True:
            for name in ring.names[start:] + ring.names[:start]:
                if self._load[name] == ring.least:
                    return name
            ring.least = min(self._load[name] for name in ring.names)


class _Ring:
    """A set of nodes in the order of names, and the least load among them when last looked at."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.least = 0
