"""One owner for every address: tables in, a table out.

For each party, a leader with its followers, in the order of addresses:

1. the node that it was asked to be moved to, or else the preferred one, when that may take the
   party (or has it and may keep it);
2. else the node that has it, when it may keep it and was not asked to release it: nothing moves
   without a cause;
3. else, once all of these are placed, the node that it was to go to already by the last decision;
4. else the least loaded node that may take it; of equally loaded ones the first in the order of
   names, counted from a place that the address gives, so that every replica agrees;
5. else nobody; but a party whose only node is silent stays granted there, for nobody gains by
   its loss, and so does one that no other node has room for.

The result depends on the facts alone, never on the order in which they arrived.

How many addresses each node has while owners are found, and which node has the fewest.

Of equally loaded nodes the next one in the order of names counts, from a place that the address
gives: so every replica finds the same one.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from duravip_api.addresses import to_int
from duravip_api.reasons import MoveReason, Reason
from duravip_operator.core.eligibility import Eligibility, Eligible
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
}


class Assignment(NamedTuple):
    """What the election says of one address."""

    owner: str
    """The node that shall have it; empty: nobody."""
    eligible: Eligible
    """Who else may hold it, and why not."""
    cause: MoveReason = MoveReason.ELECTED
    """Why it is not the node that had it; of meaning only when that is another one."""
    reason: Reason = Reason.ELECTED
    """Why there is no owner."""

    @property
    def participants(self) -> int:
        """How many nodes may take it."""
        return len(self.eligible.may_take)


Assignments = Mapping[str, Assignment]
NO_ASSIGNMENTS: Assignments = MappingProxyType({})


def elect(
    asked: AffinityGroups,
    holders: Mapping[str, str],
    eligibility: Eligibility,
    last: Assignments = NO_ASSIGNMENTS,
) -> dict[str, Assignment]:
    """`{address: Choice}` for every unit that can have an owner at all.

    `holders` names, for each address, the node that has it or is to have it already; `last` is
    what the last decision chose.
    """
    made = _AssignmentTable(eligibility.snapshot.max_aliases)
    _keep(made, asked, holders, eligibility)
    waiting: list[_Unplaced] = []
    for address in sorted(asked.by_leader.keys() - made.choices.keys(), key=to_int):
        party = asked.by_leader[address]
        leader, holder = party.leader, holders.get(address, "")
        eligible = eligibility.of(*party)
        owner = _forced_owner(leader, eligible, holder)
        if owner:
            made.record(party, eligible, owner, holder)
        else:
            may_take = _candidates(leader, eligible)
            known = last.get(leader.address)
            intended = known.owner if known and known.owner in may_take else ""
            waiting.append(_Unplaced(not intended, party, eligible, may_take, intended, holder))
    waiting.sort(key=lambda one: one.is_new)
    for one in waiting:
        owner = made.place_for(one)
        if owner:
            made.record(one.party, one.eligible, owner, one.holder)
        else:
            made.record_none(one)
    return made.choices


def current_holders(snapshot: Snapshot) -> dict[str, str]:
    """`{address: node}`: who has each address; of several, the one that serves it, then by name.

    Only a mistake, or a hand that edited a NodePlumbing, makes it several.
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
    made: "_AssignmentTable",
    asked: AffinityGroups,
    holders: Mapping[str, str],
    eligibility: Eligibility,
) -> None:
    """Most addresses stay where they are, and nothing is to be known of the single one for that.

    Not if any of them has two holders: then each is looked at.
    """
    granted = {name: p.granted for name, p in eligibility.snapshot.plumbings.items()}
    if sum(map(len, granted.values())) != len(holders):
        return
    for unit, addresses in asked.interchangeable:
        eligible = eligibility.of_interchangeable(unit)
        if eligible is None:
            return
        nodes = {unit.preference} & eligible.may_take or eligible.may_keep
        if len(nodes) <= len(addresses):
            for node in sorted(nodes):
                made.keep(node, eligible, addresses & granted[node])
            continue
        for address in addresses:
            if (holder := holders.get(address, "")) in nodes:
                made.keep(holder, eligible, (address,))


class _Unplaced(NamedTuple):
    """A party that is not settled before loads are compared."""

    is_new: bool
    """Whether the last decision knows of no owner that it could go to."""
    party: AffinityGroup
    eligible: Eligible
    may_take: frozenset[str]
    intended: str
    holder: str


def _forced_owner(leader: Unit, eligible: Eligible, holder: str) -> str:
    """The owner that needs no comparison of loads; empty when there is none."""
    request = leader.request
    asked = request.node if request and not request.releases else leader.preference
    if asked in eligible.may_take and asked not in eligible.suspected:
        return asked
    if holder not in eligible.may_keep:
        return ""
    if request and request.releases and request.node == holder:
        others = eligible.may_take - eligible.suspected - {holder}
        return "" if others else holder
    return holder


def _candidates(leader: Unit, eligible: Eligible) -> frozenset[str]:
    """The nodes that it may go to."""
    request = leader.request
    if request and request.releases:
        return eligible.may_take - {request.node} or eligible.may_take
    return eligible.may_take


def _cause(leader: Unit, eligible: Eligible, former: str, owner: str) -> MoveReason:
    """Why it goes to another node than the one that had it."""
    if former not in eligible.may_keep:
        return _CAUSES.get(eligible.refusals.get(former, Reason.NODE_UNKNOWN), MoveReason.EDITED)
    request = leader.request
    is_asked = request and request.node == (former if request.releases else owner)
    return MoveReason.REQUESTED if is_asked else MoveReason.PREFERENCE


def cause_of_loss(choice: Assignment, former: str) -> MoveReason:
    """Why a former owner lost the address, be it that the same one is to have it again."""
    if choice.owner != former:
        return choice.cause
    refusal = choice.eligible.refusals.get(former)
    return _CAUSES.get(refusal, MoveReason.ELECTED) if refusal else MoveReason.ELECTED


class _AssignmentTable:
    """The choices that are made so far."""

    def __init__(self, most: int) -> None:
        self.choices: dict[str, Assignment] = {}
        self._loads = LoadTable(most)
        self._alike: dict[tuple[str, int, int], Assignment] = {}
        """Most addresses of a node share one Choice: by owner, Eligible and cause."""

    def keep(self, owner: str, eligible: Eligible, addresses: Collection[str]) -> None:
        """All of these stay, and nothing goes with them."""
        if addresses:
            self._loads.add(owner, len(addresses))
            choice = self._choice(owner, eligible, MoveReason.ELECTED)
            self.choices.update(dict.fromkeys(addresses, choice))

    def place_for(self, one: _Unplaced) -> str:
        """The owner of a party that is not settled; empty when there is none."""
        leader, weight = one.party.leader, one.party.weight
        if leader.preference in one.may_take:
            return leader.preference
        if one.intended and self._loads.has_room(one.intended, weight):
            return one.intended
        least = self._loads.least_loaded(one.may_take, leader.address)
        if least and self._loads.has_room(least, weight):
            return least
        return one.holder if one.holder in one.eligible.may_keep else ""

    def record(self, party: AffinityGroup, eligible: Eligible, owner: str, former: str) -> None:
        """This party goes to this owner."""
        leader, followers = party
        self._loads.add(owner, 1 + len(followers))
        cause = MoveReason.ELECTED
        if former and former != owner:
            cause = _cause(leader, eligible, former, owner)
        self.choices[leader.address] = self._choice(owner, eligible, cause)
        for follower in followers:
            self.choices[follower.address] = self._choice(owner, eligible, MoveReason.FOLLOW)

    def record_none(self, one: _Unplaced) -> None:
        """This party goes nowhere."""
        holder, eligible = one.holder, one.eligible
        if holder in eligible.lost:
            found = Assignment(holder, eligible, reason=Reason.OWNER_LOST)
        elif eligible.may_take:
            found = Assignment("", eligible, reason=Reason.CAPACITY_EXCEEDED)
        else:
            found = Assignment("", eligible, reason=Reason.NO_PARTICIPANT)
        for unit in (one.party.leader, *one.party.followers):
            self.choices[unit.address] = found

    def _choice(self, owner: str, eligible: Eligible, cause: MoveReason) -> Assignment:
        key = (owner, id(eligible), id(cause))
        known = self._alike.get(key)
        if known is None:
            known = self._alike[key] = Assignment(owner, eligible, cause)
        return known


class LoadTable:
    """Loads only grow while owners are found: nobody falls below what was once the least."""

    def __init__(self, most: int) -> None:
        """`most` is how many addresses a node may have."""
        self._most = most
        self._load: Counter[str] = Counter()
        self._rings: dict[frozenset[str], _Ring] = {}

    def add(self, node: str, weight: int) -> None:
        """The node gets so many addresses more."""
        self._load[node] += weight

    def has_room(self, node: str, weight: int) -> bool:
        """Whether the node may get so many more."""
        return self._load[node] + weight <= self._most

    def least_loaded(self, nodes: frozenset[str], address: str) -> str:
        """The one of them with the fewest addresses; empty when there are no nodes."""
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
    """A set of nodes in the order of names, and the least load of any of them, seen last."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.least = 0
