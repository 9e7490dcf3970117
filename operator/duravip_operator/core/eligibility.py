"""Who may hold an address.

A node may *take* an address when its agent has been heard for long enough, it matches the
Topology's selector and that of any entity of the unit, and it has the Topology's interface up. It
may *keep* one with less: an agent that is young, or suspected, has done nothing wrong. One that
has only just been suspected still takes its share of what is new: otherwise every hiccup would
make the shares uneven. A party, a leader with its followers, needs one node that may hold all of
it. A node that has failed to hold an address for too long, or whose word cannot be trusted, is set
aside as long as another one may have it.

Units with the same selectors and the same placement have the same answer, so it is found once for
each kind of unit and not for each of ten thousand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from duravip_api.reasons import Reason
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.snapshot import (
    Hearing,
    Node,
    Placement,
    Plumbing,
    Selector,
    Snapshot,
    Topology,
)
from duravip_operator.core.subnets import Subnets

_BY_HEARING = {
    Hearing.YOUNG: Reason.NODE_YOUNG,
    Hearing.UNHEARD: Reason.NODE_SILENT,
    Hearing.SILENT: Reason.NODE_SILENT,
}

NOBODY: frozenset[str] = frozenset()
NOTHING: Mapping[str, Reason] = MappingProxyType({})
EVERY_NODE: frozenset[Selector] = frozenset({()})
_Kind = tuple[str, frozenset[Selector], frozenset[str], frozenset[str]]
"""Units of one kind have the same Topology, selectors, foreign nodes and claimants."""


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


@dataclass
class Eligibility:
    """Answers for one snapshot, each kind of unit looked at once."""

    snapshot: Snapshot
    subnets: Subnets = field(init=False)
    _known: dict[_Kind, Eligible] = field(default_factory=dict)
    _joint: dict[tuple[int, int], tuple[Eligible, Eligible, Eligible]] = field(
        default_factory=dict
    )
    """By the identities of two Eligibles: these, and what they have in common."""
    _spared: dict[tuple[int, frozenset[str]], tuple[Eligible, Eligible]] = field(
        default_factory=dict
    )
    """By an Eligible's identity and who is set aside: it, and what is left of it."""

    def __post_init__(self) -> None:
        self.subnets = Subnets(self.snapshot)
        self._are_all_trusted = not (self.snapshot.given_up or self.snapshot.distrusted)

    def of(self, unit: Unit, followers: Iterable[Unit] = ()) -> Eligible:
        """The nodes that may hold the unit together with its followers."""
        found = self._alone(unit)
        for follower in followers:
            alone = self._alone(follower)
            found = found if found is alone else self._both(found, alone)
        if self._are_all_trusted:
            return found
        return self._without_failing(found, (unit, *followers))

    def of_all_like(self, unit: Unit) -> Eligible | None:
        """The nodes that may hold any unit with its Topology and selectors.

        None when that differs from one to the other: not where foreign nodes are not excluded.
        """
        return self._alone(unit) if self._are_all_trusted else None

    def nodes_with(self, topology: Topology) -> int:
        """How many nodes could hold addresses of a block, were all agents well."""
        return len(_eligible(self.snapshot, topology, EVERY_NODE).could_hold)

    def nodes_unwitnessed(self, topology: Topology) -> list[str]:
        """The nodes that could take addresses of a block, but that no other node hears there."""
        found = _eligible(self.snapshot, topology, EVERY_NODE)
        interface, witnessed = topology.placement.interface, self.snapshot.witnessed
        return sorted(n for n in found.may_take if interface not in witnessed.get(n, ()))

    def _both(self, one: Eligible, other: Eligible) -> Eligible:
        key = (id(one), id(other))
        if key not in self._joint:
            self._joint[key] = (one, other, one & other)
        return self._joint[key][2]

    def _without_failing(self, found: Eligible, units: Iterable[Unit]) -> Eligible:
        given_up, aside = self.snapshot.given_up, self.snapshot.distrusted
        if given_up:
            aside = aside.union(*(given_up.get(unit.address, NOBODY) for unit in units))
        if aside.isdisjoint(found.may_keep):
            return found
        key = (id(found), aside)
        if key not in self._spared:
            self._spared[key] = (found, _without(found, aside, self.snapshot.distrusted))
        return self._spared[key][1]

    def _alone(self, unit: Unit) -> Eligible:
        topology = unit.topology
        if topology is None:
            return _NONE
        excludes = topology.excludes_foreign
        foreign = self.subnets.foreign(topology, unit.address) if excludes else NOBODY
        kind = (topology.name, unit.selectors, foreign, unit.claimants)
        found = self._known.get(kind)
        if found is None:
            barred = dict.fromkeys(foreign, Reason.CROSS_SUBNET)
            barred |= dict.fromkeys(unit.claimants, Reason.NODE_ADDRESS)
            found = _eligible(self.snapshot, topology, unit.selectors, barred)
            self._known[kind] = found
        return found


def _eligible(
    snapshot: Snapshot,
    topology: Topology,
    selectors: frozenset[Selector],
    barred: Mapping[str, Reason] = NOTHING,
) -> Eligible:
    placement = topology.placement
    take: set[str] = set()
    keep: set[str] = set()
    lost: set[str] = set()
    suspected: set[str] = set()
    refusals: dict[str, Reason] = {}
    for name, plumbing in snapshot.plumbings.items():
        node = snapshot.nodes.get(name)
        reason = _lasting_refusal(node, plumbing, topology, selectors) or barred.get(name)
        hearing = snapshot.hearing.get(name, Hearing.UNHEARD)
        if reason:
            refusals[name] = reason
        elif hearing is Hearing.ALIVE:
            take.add(name)
            keep.add(name)
        elif _is_hiccup(snapshot, name, placement):
            take.add(name)
            keep.add(name)
            suspected.add(name)
        else:
            (lost if snapshot.is_gone(name, placement) else keep).add(name)
            refusals[name] = _BY_HEARING[hearing]
    return Eligible(
        could_hold=frozenset(keep | lost),
        may_take=frozenset(take),
        may_keep=frozenset(keep),
        lost=frozenset(lost),
        suspected=frozenset(suspected),
        refusals=refusals,
    )


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
    silence = snapshot.silences.get(node)
    is_silent = snapshot.hearing.get(node) is Hearing.SILENT
    if not is_silent or silence is None or silence.is_lasting:
        return False
    return not snapshot.is_gone(node, placement)


def _lasting_refusal(
    node: Node | None, plumbing: Plumbing, topology: Topology, selectors: frozenset[Selector]
) -> Reason | None:
    """Why the node may not even keep what it has."""
    if node is None:
        return Reason.NODE_UNKNOWN
    if node.excluded:
        return Reason.NODE_EXCLUDED
    if plumbing.leaving or plumbing.stopped:
        return Reason.NODE_STOPPED
    admitted = any(is_selected(node, selector) for selector in selectors)
    if not admitted or not is_selected(node, topology.selector):
        return Reason.SELECTOR_MISMATCH
    nic = plumbing.nics.get(topology.placement.interface)
    if nic is None:
        return Reason.INTERFACE_MISSING
    return None if nic.up and nic.carrier else Reason.INTERFACE_DOWN


def is_selected(node: Node, selector: Selector) -> bool:
    """Whether the Node has all of the labels."""
    return all(node.labels.get(label) == value for label, value in selector)
