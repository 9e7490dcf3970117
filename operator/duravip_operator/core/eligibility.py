"""Which nodes may hold an address, and why the others may not.

The rule has two levels, because taking an address is risky and losing one is disruptive:

- A node may *take* an address if its agent is ALIVE, its Node exists and is not excluded, the
  selectors of the Topology and of any object of the unit match it, it has the Topology's interface
  up, and it does not claim the address as its own. Off-subnet nodes are barred where the Topology
  says so.
- A node may *keep* an address with less: an agent that is UNKNOWN, WARMING_UP or SUSPECT has done
  nothing wrong. Of those, only a node that is gone (`Snapshot.is_gone`) loses what it has.

Three exceptions:

- A node that has only just become suspect (a hiccup) still takes its share of what is new:
  otherwise every late heartbeat would make the shares uneven. An address that has an owner does
  not move to it (`Eligible.suspected`).
- A node in quarantine for the address, or untrusted (`quarantine`), is passed over, unless no
  other node may hold the address.
- A node that is excluded only because it is gone is `lost`: if no other node may hold the address,
  it keeps its grant.

An affinity group, a leader with its followers, needs one node that may hold all of it: the
eligibilities of its units are intersected (`Eligible.__and__`).

Units whose Topology is the same, and that the same nodes match, have the same answer. It is
worked out once for each such kind of unit and not for each of ten thousand: `_topology_nodes`
looks at all nodes once for each Topology, and what a selector leaves of them is a matter of set
operations. Equal answers are the identical object, so other modules compare them by identity.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import InitVar, dataclass, field, replace
from typing import NamedTuple

from duravip_api.nodeplumbing import Nic
from duravip_api.reasons import Reason
from duravip_operator.core.node_selectors import SelectorIndex
from duravip_operator.core.snapshot import (
    Liveness,
    Node,
    Placement,
    Plumbing,
    Selector,
    Snapshot,
    Topology,
)
from duravip_operator.core.subnets import Subnets
from duravip_operator.core.units import Unit

_BY_LIVENESS = {
    Liveness.WARMING_UP: Reason.NODE_YOUNG,
    Liveness.UNKNOWN: Reason.NODE_SILENT,
    Liveness.SUSPECT: Reason.NODE_SILENT,
}

IPV4 = 4
_BY_INTERFACE = {
    Reason.INTERFACE_MISSING,
    Reason.INTERFACE_DOWN,
    Reason.INTERFACE_UNUSABLE,
}
NO_NODES: frozenset[str] = frozenset()
_Kind = tuple[str, frozenset[str], frozenset[str], frozenset[str]]
"""Units of one kind: Topology, matching nodes, off-subnet nodes, claimants."""


@dataclass(frozen=True, slots=True)
class Eligible:
    """The nodes that may hold a unit."""

    could_hold: frozenset[str]
    """Those that may hold it while they are well."""
    may_take: frozenset[str]
    """Those that it may be given to."""
    may_keep: frozenset[str]
    """Those that it need not be taken from."""
    lost: frozenset[str]
    """Those excluded only because they are gone."""
    suspected: frozenset[str]
    """Those of `may_take` that are suspect at the moment: nothing is moved to them."""
    refusals: Mapping[str, Reason]
    """`{node: why it may not take the unit}`."""

    @property
    def losses(self) -> dict[str, Reason]:
        """The refusals of nodes that may not even keep it."""
        return {name: why for name, why in self.refusals.items() if name not in self.may_keep}

    def __and__(self, other: "Eligible") -> "Eligible":
        return Eligible(
            self.could_hold & other.could_hold,
            self.may_take & other.may_take,
            self.may_keep & other.may_keep,
            (self.lost | self.may_keep) & (other.lost | other.may_keep),
            self.suspected | other.suspected,
            {**other.refusals, **self.refusals, **other.losses, **self.losses},
        )


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
        self._are_all_trusted = not (self.snapshot.quarantined or self.snapshot.untrusted)

    def of(self, unit: Unit, followers: Iterable[Unit] = ()) -> Eligible:
        """The nodes that may hold the unit together with its followers."""
        eligible = self._alone(unit)
        for follower in followers:
            alone = self._alone(follower)
            eligible = eligible if eligible is alone else self._both(eligible, alone)
        if self._are_all_trusted:
            return eligible
        return self._without_quarantined(eligible, (unit, *followers))

    def of_interchangeable(self, unit: Unit) -> Eligible | None:
        """The nodes that may hold any unit of this one's Topology, selectors and preference.

        None if that differs between such units: when some node is in quarantine or
        untrusted.
        """
        return self._alone(unit) if self._are_all_trusted else None

    def count_nodes(self, topology: Topology) -> int:
        """How many nodes can hold addresses of the Topology: their agents are heard."""
        eligible = self._of(topology, self.selection.all)
        unheard = {name for name, why in eligible.refusals.items() if why is Reason.NODE_SILENT}
        return len(eligible.could_hold - unheard)

    def unwitnessed_nodes(self, topology: Topology) -> list[str]:
        """The nodes that could take addresses there and that no other node sees on the segment."""
        eligible = self._of(topology, self.selection.all)
        interface, witnessed = topology.placement.interface, self.snapshot.witnessed
        return sorted(n for n in eligible.may_take if interface not in witnessed.get(n, ()))

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
            self._reduced[key] = (eligible, _without(eligible, excluded, self.snapshot.untrusted))
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
    placement = topology.placement
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
        elif reason := _without_interface(plumbing, topology):
            refusals[name] = reason
        elif liveness is Liveness.ALIVE:
            take.add(name)
            keep.add(name)
        elif _is_hiccup(snapshot, name, placement):
            take.add(name)
            keep.add(name)
            suspected.add(name)
        else:
            (lost if snapshot.is_gone(name, placement) else keep).add(name)
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


def _without(eligible: Eligible, excluded: frozenset[str], untrusted: frozenset[str]) -> Eligible:
    """The answer with `excluded` nodes passed over; unchanged if nobody else may keep it."""
    if not eligible.may_keep - excluded:
        return eligible
    take = eligible.may_take - excluded
    reasons = {
        node: Reason.NODE_CONTRADICTS if node in untrusted else Reason.REPAIR_FAILED
        for node in excluded & eligible.may_keep
    }
    return replace(
        eligible,
        may_take=take,
        may_keep=eligible.may_keep - excluded if take else eligible.may_keep,
        refusals={**eligible.refusals, **reasons},
    )


def _is_hiccup(snapshot: Snapshot, node: str, placement: Placement) -> bool:
    """Whether a node that was alive has only just become suspect, and is not known to be gone."""
    suspicion = snapshot.suspicions.get(node)
    is_silent = snapshot.liveness.get(node) is Liveness.SUSPECT
    if not is_silent or suspicion is None or suspicion.is_lasting:
        return False
    return not snapshot.is_gone(node, placement)


def _unfit(node: Node | None, plumbing: Plumbing) -> Reason | None:
    """Why the node may hold no address at all; None: it may."""
    if node is None:
        return Reason.NODE_UNKNOWN
    if node.excluded:
        return Reason.NODE_EXCLUDED
    if plumbing.leaving or plumbing.stopped or plumbing.unfit:
        return plumbing.unfit or Reason.NODE_STOPPED
    return None


def _without_interface(plumbing: Plumbing, topology: Topology) -> Reason | None:
    nic = plumbing.nics.get(topology.placement.interface)
    if nic is None:
        return Reason.INTERFACE_MISSING
    if not (nic.up and nic.carrier):
        return Reason.INTERFACE_DOWN
    return Reason.INTERFACE_UNUSABLE if nic_fault(nic, topology.family) else None


def nic_fault(nic: Nic, family: int) -> str:
    """Why an interface that is up does not answer for addresses of a family; empty: it does."""
    return nic.unusable or (nic.unusable_ipv4 if family == IPV4 else nic.unusable_ipv6) or ""


def matches_selector(node: Node, selector: Selector) -> bool:
    """Whether the Node has all labels of the selector."""
    return all(node.labels.get(label) == value for label, value in selector)
