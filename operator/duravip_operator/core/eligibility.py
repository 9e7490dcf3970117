"""Which nodes may hold an address, and why the others may not.

The rule has two levels, because taking an address is risky and losing one is disruptive:

- A node may *take* an address if its agent is ALIVE, its Node exists and is not excluded, the
  selectors of the Topology and of any object of the unit match it, its interface for the
  Topology works (`interface_choice`), and it does not claim the address as its own. Off-subnet
  nodes are barred where the Topology says so.
- A node may *keep* an address with less: an agent that is UNKNOWN, WARMING_UP or SUSPECT has done
  nothing wrong. Of those, only a node that is gone (`silent_nodes`) loses what it has.

Four exceptions:

- A node that has only just become suspect (a hiccup) still takes its share of what is new:
  otherwise every late heartbeat would make the shares uneven. An address that has an owner does
  not move to it (`Eligible.suspected`).
- A node in quarantine for the address, or untrusted (`quarantine`), is passed over, unless no
  other node may hold the address.
- A node that is excluded only because it is gone is `lost`: if no other node may hold the address,
  it keeps its grant.
- A node that is not fit for the address (`readiness`) is set aside, if a fit one may take it.

An affinity group, a leader with its followers, needs one node that may hold all of it: the
eligibilities of its units are intersected (`eligible`).

Units whose Topology is the same, and that the same nodes match, have the same answer. It is
worked out once for each such kind of unit and not for each of ten thousand: `_topology_nodes`
looks at all nodes once for each Topology, and what a selector leaves of them is a matter of set
operations. Equal answers are the identical object, so other modules compare them by identity.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import InitVar, dataclass, field
from typing import NamedTuple

from duravip_api.reasons import Reason
from duravip_operator.core.eligible import NO_NODES, Eligible
from duravip_operator.core.node_selectors import SelectorIndex
from duravip_operator.core.readiness import ReadinessRule
from duravip_operator.core.silent_nodes import is_gone_from
from duravip_operator.core.snapshot import (
    Liveness,
    Node,
    Plumbing,
    Selector,
    Snapshot,
    Topology,
)
from duravip_operator.core.topologies import Subnets
from duravip_operator.core.units import Unit

_BY_LIVENESS = {
    Liveness.WARMING_UP: Reason.NODE_YOUNG,
    Liveness.UNKNOWN: Reason.NODE_SILENT,
    Liveness.SUSPECT: Reason.NODE_SILENT,
}

_BY_INTERFACE = {
    Reason.INTERFACE_MISSING,
    Reason.INTERFACE_DOWN,
    Reason.INTERFACE_UNUSABLE,
    Reason.INTERFACE_AMBIGUOUS,
}
_Kind = tuple[str, frozenset[str], frozenset[str], frozenset[str]]
"""Units of one kind: Topology, matching nodes, off-subnet nodes, claimants."""


_NO_NODE = Eligible(NO_NODES, NO_NODES, NO_NODES, NO_NODES, NO_NODES, {})
"""-"""


class _TopologyNodes(NamedTuple):
    """The nodes as one Topology sees them, whatever the objects' selectors."""

    eligible: Eligible
    """The answer for a unit that all nodes match."""
    unfit: Mapping[str, Reason]
    """`{node: why it can hold no address at all}`."""

    def among(self, matching: frozenset[str], barred: Mapping[str, Reason]) -> Eligible:
        """The answer for a unit that only `matching` nodes match and `barred` may not hold."""
        eligible, admitted = self.eligible, matching - barred.keys()
        return Eligible(
            could_hold=eligible.could_hold & admitted,
            may_take=eligible.may_take & admitted,
            may_keep=eligible.may_keep & admitted,
            lost=eligible.lost & admitted,
            suspected=eligible.suspected & admitted,
            refusals=_Refusals(self, matching, barred),
        )


class _Refusals(Mapping[str, Reason]):
    """Refusals that are worked out on access: mostly nobody reads them."""

    def __init__(
        self,
        topology_nodes: _TopologyNodes,
        matching: frozenset[str],
        barred: Mapping[str, Reason],
    ) -> None:
        self._topology_nodes = topology_nodes
        self._matching = matching
        self._barred = barred

    def __getitem__(self, node: str) -> Reason:
        eligible, unfit = self._topology_nodes
        if node in unfit:
            return unfit[node]
        refusal = eligible.refusals.get(node)
        if refusal is None and node not in eligible.may_take:
            raise KeyError(node)
        if node not in self._matching:
            return Reason.SELECTOR_MISMATCH
        if node in self._barred and refusal not in _BY_INTERFACE:
            return self._barred[node]
        if refusal is None:
            raise KeyError(node)
        return refusal

    def __iter__(self) -> Iterator[str]:
        eligible, unfit = self._topology_nodes
        excluded = eligible.may_take - (self._matching - self._barred.keys())
        return iter({**unfit, **eligible.refusals, **dict.fromkeys(sorted(excluded))})

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass
class Eligibility:
    """Answers for one snapshot; each kind of unit is worked out once."""

    snapshot: Snapshot
    last: InitVar[SelectorIndex | None] = None
    """The selector index of the last pass, reused while no label changes."""
    selection: SelectorIndex = field(init=False)
    subnets: Subnets = field(init=False)
    _readiness: ReadinessRule = field(init=False)
    _by_kind: dict[_Kind, Eligible] = field(default_factory=dict)
    _topology_nodes: dict[str, _TopologyNodes] = field(default_factory=dict)
    """By name of the Topology."""
    _intersections: dict[tuple[int, int], tuple[Eligible, Eligible, Eligible]] = field(
        default_factory=dict
    )
    """By the ids of two Eligibles: both, and their intersection. Holding them keeps the ids
    valid."""
    _reduced: dict[tuple[int, frozenset[str]], tuple[Eligible, Eligible]] = field(
        default_factory=dict
    )
    """By an Eligible's id and the nodes passed over: it, and what is left of it."""

    def __post_init__(self, last: SelectorIndex | None) -> None:
        nodes = self.snapshot.nodes
        self.selection = last if last and last.is_current_for(nodes) else SelectorIndex(nodes)
        self.subnets = Subnets(self.snapshot)
        self._readiness = ReadinessRule(self.snapshot)
        self._are_all_trusted = not (self.snapshot.quarantined or self.snapshot.untrusted)

    def of(self, unit: Unit, followers: Iterable[Unit] = ()) -> Eligible:
        """The nodes that may hold the unit together with its followers."""
        eligible = self._alone(unit)
        for follower in followers:
            alone = self._alone(follower)
            eligible = eligible if eligible is alone else self._both(eligible, alone)
        units = (unit, *followers)
        if not self._are_all_trusted:
            eligible = self._without_quarantined(eligible, units)
        return self._readiness.apply(eligible, units)

    def of_interchangeable(self, unit: Unit) -> Eligible | None:
        """The nodes that may hold any unit of this one's Topology, selectors and readiness.

        None if that differs between such units: when some node is in quarantine or
        untrusted. Units that have just moved for their readiness are not of them.
        """
        if not self._are_all_trusted:
            return None
        return self._readiness.apply(self._alone(unit), (unit,), is_settled=True)

    def count_nodes(self, topology: Topology) -> Counter[str]:
        """How many nodes can hold addresses of the Topology, by the interface that they use.

        Their agents are heard.
        """
        eligible = self._of(topology, self.selection.all)
        unheard = {name for name, why in eligible.refusals.items() if why is Reason.NODE_SILENT}
        heard = eligible.could_hold - unheard
        return Counter(self.snapshot.interface_on(node, topology).name for node in heard)

    def unwitnessed_nodes(self, topology: Topology) -> list[str]:
        """The nodes that could take addresses there and that no other node sees on the segment."""
        eligible = self._of(topology, self.selection.all)
        interface_on, witnessed = self.snapshot.interface_on, self.snapshot.witnessed
        return sorted(
            node
            for node in eligible.may_take
            if interface_on(node, topology).name not in witnessed.get(node, ())
        )

    def _both(self, one: Eligible, other: Eligible) -> Eligible:
        key = (id(one), id(other))
        if key not in self._intersections:
            self._intersections[key] = (one, other, one & other)
        return self._intersections[key][2]

    def _without_quarantined(self, eligible: Eligible, units: Iterable[Unit]) -> Eligible:
        quarantined, excluded = self.snapshot.quarantined, self.snapshot.untrusted
        if quarantined:
            excluded = excluded.union(*(quarantined.get(unit.address, NO_NODES) for unit in units))
        if excluded.isdisjoint(eligible.may_keep):
            return eligible
        key = (id(eligible), excluded)
        if key not in self._reduced:
            self._reduced[key] = (eligible, eligible.without(excluded, self.snapshot.untrusted))
        return self._reduced[key][1]

    def _alone(self, unit: Unit) -> Eligible:
        topology = unit.topology
        if topology is None:
            return _NO_NODE
        excludes = topology.excludes_off_subnet
        off_subnet = (
            self.subnets.off_subnet_nodes(topology, unit.address) if excludes else NO_NODES
        )
        matching = self.selection.matching_any(unit.selectors)
        return self._of(topology, matching, off_subnet, unit.claimants)

    def _of(
        self,
        topology: Topology,
        matching: frozenset[str],
        off_subnet: frozenset[str] = NO_NODES,
        claimants: frozenset[str] = NO_NODES,
    ) -> Eligible:
        kind = (topology.name, matching, off_subnet, claimants)
        eligible = self._by_kind.get(kind)
        if eligible is None:
            topology_nodes = self._topology_nodes.get(topology.name)
            if topology_nodes is None:
                admitted = self.selection.matching(topology.selector)
                topology_nodes = _topology_nodes(self.snapshot, topology, admitted)
                self._topology_nodes[topology.name] = topology_nodes
            barred = dict.fromkeys(off_subnet, Reason.CROSS_SUBNET)
            barred |= dict.fromkeys(claimants, Reason.NODE_ADDRESS)
            eligible = self._by_kind[kind] = topology_nodes.among(matching, barred)
        return eligible


def _topology_nodes(
    snapshot: Snapshot, topology: Topology, admitted: frozenset[str]
) -> _TopologyNodes:
    """All nodes sorted for one Topology, whose selector matches the `admitted` ones."""
    take: set[str] = set()
    keep: set[str] = set()
    lost: set[str] = set()
    suspected: set[str] = set()
    refusals: dict[str, Reason] = {}
    unfit: dict[str, Reason] = {}
    for name, plumbing in snapshot.plumbings.items():
        liveness = snapshot.liveness.get(name, Liveness.UNKNOWN)
        if reason := _unfit(snapshot.nodes.get(name), plumbing):
            unfit[name] = reason
        elif name not in admitted:
            unfit[name] = Reason.SELECTOR_MISMATCH
        elif reason := snapshot.interface_on(name, topology).refusal:
            refusals[name] = reason
        elif liveness is Liveness.ALIVE:
            take.add(name)
            keep.add(name)
        elif _is_hiccup(snapshot, name, topology):
            take.add(name)
            keep.add(name)
            suspected.add(name)
        else:
            (lost if is_gone_from(snapshot, name, topology) else keep).add(name)
            refusals[name] = _BY_LIVENESS[liveness]
    eligible = Eligible(
        could_hold=frozenset(keep | lost),
        may_take=frozenset(take),
        may_keep=frozenset(keep),
        lost=frozenset(lost),
        suspected=frozenset(suspected),
        refusals=refusals,
    )
    return _TopologyNodes(eligible, unfit)


def _is_hiccup(snapshot: Snapshot, node: str, topology: Topology) -> bool:
    """Whether a node that was alive has only just become suspect, and is not known to be gone."""
    suspicion = snapshot.suspicions.get(node)
    is_silent = snapshot.liveness.get(node) is Liveness.SUSPECT
    if not is_silent or suspicion is None or suspicion.is_lasting:
        return False
    return not is_gone_from(snapshot, node, topology)


def _unfit(node: Node | None, plumbing: Plumbing) -> Reason | None:
    """Why the node may hold no address at all; None: it may."""
    if node is None:
        return Reason.NODE_UNKNOWN
    if node.excluded:
        return Reason.NODE_EXCLUDED
    if plumbing.leaving or plumbing.stopped or plumbing.unfit:
        return plumbing.unfit or Reason.NODE_STOPPED
    return None


def matches_selector(node: Node, selector: Selector) -> bool:
    """Whether the Node has all labels of the selector."""
    return all(node.labels.get(label) == value for label, value in selector)
