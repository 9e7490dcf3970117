"""Who may hold an address.

A node may *take* an address when its agent has been heard for long enough, it matches the
Topology's selector and that of any entity of the unit, and it has the Topology's interface up. It
may *keep* one with less: an agent that is young, or suspected, has done nothing wrong. One that
has only just been suspected still takes its share of what is new: otherwise every hiccup would
make the shares uneven. A party, a leader with its followers, needs one node that may hold all of
it. A node that has failed to hold an address for too long, or whose word cannot be trusted, is set
aside as long as another one may have it.

Units with the same placement whose selectors match the same nodes have the same answer, so it is
found once for each kind of unit and not for each of ten thousand. All nodes are looked at once for
each Topology, and what a selector leaves of them is a matter of sets.
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

_BY_HEARING = {
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
NOBODY: frozenset[str] = frozenset()
_Kind = tuple[str, frozenset[str], frozenset[str], frozenset[str]]
"""Units of one kind have the same Topology; the same nodes match them, and the same are foreign
or claimants."""


@dataclass(frozen=True, slots=True)
class Eligible:
    """The nodes that may hold a unit."""

    could_hold: frozenset[str]
    """All that may hold it while they are well."""
    may_take: frozenset[str]
    may_keep: frozenset[str]
    lost: frozenset[str]
    """Those that only their silence excludes: if nobody else may have it, they are left alone."""
    suspected: frozenset[str]
    """Those of the nodes that may take it for whose sake nothing is moved at this moment."""
    refusals: Mapping[str, Reason]
    """Why each of the other nodes may not take it."""

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


_NONE = Eligible(NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, {})


class _Standing(NamedTuple):
    """How the nodes stand to one Topology, whoever may select them."""

    eligible: Eligible
    """If all of them match."""
    unfit: Mapping[str, Reason]
    """Why nodes cannot hold anything at all."""

    def among(self, matching: frozenset[str], barred: Mapping[str, Reason]) -> Eligible:
        """What is left if these match, and these are barred from this unit."""
        found, admitted = self.eligible, matching - barred.keys()
        return Eligible(
            could_hold=found.could_hold & admitted,
            may_take=found.may_take & admitted,
            may_keep=found.may_keep & admitted,
            lost=found.lost & admitted,
            suspected=found.suspected & admitted,
            refusals=_Refusals(self, matching, barred),
        )


class _Refusals(Mapping[str, Reason]):
    """Why nodes are refused, found when it is asked for: mostly nobody does."""

    def __init__(
        self, standing: _Standing, matching: frozenset[str], barred: Mapping[str, Reason]
    ) -> None:
        self._standing = standing
        self._matching = matching
        self._barred = barred

    def __getitem__(self, node: str) -> Reason:
        eligible, unfit = self._standing
        if node in unfit:
            return unfit[node]
        known = eligible.refusals.get(node)
        if known is None and node not in eligible.may_take:
            raise KeyError(node)
        if node not in self._matching:
            return Reason.SELECTOR_MISMATCH
        if node in self._barred and known not in _BY_INTERFACE:
            return self._barred[node]
        if known is None:
            raise KeyError(node)
        return known

    def __iter__(self) -> Iterator[str]:
        eligible, unfit = self._standing
        aside = eligible.may_take - (self._matching - self._barred.keys())
        return iter({**unfit, **eligible.refusals, **dict.fromkeys(sorted(aside))})

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass
class Eligibility:
    """Answers for one snapshot, each kind of unit looked at once."""

    snapshot: Snapshot
    last: InitVar[SelectorIndex | None] = None
    """What was found of selectors before: it holds as long as no label changes."""
    selection: SelectorIndex = field(init=False)
    subnets: Subnets = field(init=False)
    _known: dict[_Kind, Eligible] = field(default_factory=dict)
    _standing: dict[str, _Standing] = field(default_factory=dict)
    """By Topology."""
    _joint: dict[tuple[int, int], tuple[Eligible, Eligible, Eligible]] = field(
        default_factory=dict
    )
    """By the identities of two Eligibles: these, and what they have in common."""
    _spared: dict[tuple[int, frozenset[str]], tuple[Eligible, Eligible]] = field(
        default_factory=dict
    )
    """By an Eligible's identity and who is set aside: it, and what is left of it."""

    def __post_init__(self, last: SelectorIndex | None) -> None:
        nodes = self.snapshot.nodes
        self.selection = last if last and last.is_current_for(nodes) else SelectorIndex(nodes)
        self.subnets = Subnets(self.snapshot)
        self._are_all_trusted = not (self.snapshot.quarantined or self.snapshot.untrusted)

    def of(self, unit: Unit, followers: Iterable[Unit] = ()) -> Eligible:
        """The nodes that may hold the unit together with its followers."""
        found = self._alone(unit)
        for follower in followers:
            alone = self._alone(follower)
            found = found if found is alone else self._both(found, alone)
        if self._are_all_trusted:
            return found
        return self._without_quarantined(found, (unit, *followers))

    def of_interchangeable(self, unit: Unit) -> Eligible | None:
        """The nodes that may hold any unit with its Topology and selectors.

        None when that differs from one to the other: not where foreign nodes are not excluded.
        """
        return self._alone(unit) if self._are_all_trusted else None

    def count_nodes(self, topology: Topology) -> int:
        """How many nodes can hold addresses of a block: those of which the agent is heard."""
        found = self._of(topology, self.selection.all)
        unheard = {name for name, why in found.refusals.items() if why is Reason.NODE_SILENT}
        return len(found.could_hold - unheard)

    def unwitnessed_nodes(self, topology: Topology) -> list[str]:
        """The nodes that could take addresses of a block, but that no other node hears there."""
        found = self._of(topology, self.selection.all)
        interface, witnessed = topology.placement.interface, self.snapshot.witnessed
        return sorted(n for n in found.may_take if interface not in witnessed.get(n, ()))

    def _both(self, one: Eligible, other: Eligible) -> Eligible:
        key = (id(one), id(other))
        if key not in self._joint:
            self._joint[key] = (one, other, one & other)
        return self._joint[key][2]

    def _without_quarantined(self, found: Eligible, units: Iterable[Unit]) -> Eligible:
        given_up, aside = self.snapshot.quarantined, self.snapshot.untrusted
        if given_up:
            aside = aside.union(*(given_up.get(unit.address, NOBODY) for unit in units))
        if aside.isdisjoint(found.may_keep):
            return found
        key = (id(found), aside)
        if key not in self._spared:
            self._spared[key] = (found, _without(found, aside, self.snapshot.untrusted))
        return self._spared[key][1]

    def _alone(self, unit: Unit) -> Eligible:
        topology = unit.topology
        if topology is None:
            return _NONE
        excludes = topology.excludes_off_subnet
        foreign = self.subnets.off_subnet_nodes(topology, unit.address) if excludes else NOBODY
        matching = self.selection.matching_any(unit.selectors)
        return self._of(topology, matching, foreign, unit.claimants)

    def _of(
        self,
        topology: Topology,
        matching: frozenset[str],
        foreign: frozenset[str] = NOBODY,
        claimants: frozenset[str] = NOBODY,
    ) -> Eligible:
        kind = (topology.name, matching, foreign, claimants)
        found = self._known.get(kind)
        if found is None:
            standing = self._standing.get(topology.name)
            if standing is None:
                admitted = self.selection.matching(topology.selector)
                standing = _standing(self.snapshot, topology, admitted)
                self._standing[topology.name] = standing
            barred = dict.fromkeys(foreign, Reason.CROSS_SUBNET)
            barred |= dict.fromkeys(claimants, Reason.NODE_ADDRESS)
            found = self._known[kind] = standing.among(matching, barred)
        return found


def _standing(snapshot: Snapshot, topology: Topology, admitted: frozenset[str]) -> _Standing:
    """`admitted` are the nodes that the Topology's selector matches."""
    placement = topology.placement
    take: set[str] = set()
    keep: set[str] = set()
    lost: set[str] = set()
    suspected: set[str] = set()
    refusals: dict[str, Reason] = {}
    unfit: dict[str, Reason] = {}
    for name, plumbing in snapshot.plumbings.items():
        hearing = snapshot.liveness.get(name, Liveness.UNKNOWN)
        if reason := _unfit(snapshot.nodes.get(name), plumbing):
            unfit[name] = reason
        elif name not in admitted:
            unfit[name] = Reason.SELECTOR_MISMATCH
        elif reason := _without_interface(plumbing, topology):
            refusals[name] = reason
        elif hearing is Liveness.ALIVE:
            take.add(name)
            keep.add(name)
        elif _is_hiccup(snapshot, name, placement):
            take.add(name)
            keep.add(name)
            suspected.add(name)
        else:
            (lost if snapshot.is_gone(name, placement) else keep).add(name)
            refusals[name] = _BY_HEARING[hearing]
    found = Eligible(
        could_hold=frozenset(keep | lost),
        may_take=frozenset(take),
        may_keep=frozenset(keep),
        lost=frozenset(lost),
        suspected=frozenset(suspected),
        refusals=refusals,
    )
    return _Standing(found, unfit)


def _without(found: Eligible, aside: frozenset[str], distrusted: frozenset[str]) -> Eligible:
    """What is left once these are set aside; all of it where that would leave nobody."""
    if not found.may_keep - aside:
        return found
    take = found.may_take - aside
    reasons = {
        node: Reason.NODE_CONTRADICTS if node in distrusted else Reason.REPAIR_FAILED
        for node in aside & found.may_keep
    }
    return replace(
        found,
        may_take=take,
        may_keep=found.may_keep - aside if take else found.may_keep,
        refusals={**found.refusals, **reasons},
    )


def _is_hiccup(snapshot: Snapshot, node: str, placement: Placement) -> bool:
    """Whether a node that was alive has only just fallen silent, and is not known to be gone."""
    silence = snapshot.suspicions.get(node)
    is_silent = snapshot.liveness.get(node) is Liveness.SUSPECT
    if not is_silent or silence is None or silence.is_lasting:
        return False
    return not snapshot.is_gone(node, placement)


def _unfit(node: Node | None, plumbing: Plumbing) -> Reason | None:
    """Why the node may hold nothing, whatever it is."""
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
    """Why a card that is up does not answer for addresses of a family; empty: it does."""
    return nic.unusable or (nic.unusable_ipv4 if family == IPV4 else nic.unusable_ipv6) or ""


def matches_selector(node: Node, selector: Selector) -> bool:
    """Whether the Node has all of the labels."""
    return all(node.labels.get(label) == value for label, value in selector)
