"""Units, and what stands against them.

A unit is one address with every entity that names it. Rules, in the order in which they are
looked at (semantics 3, 6, 8, 28-33, 38, 40, 42, 54):

- an entity that could not be read belongs to no unit: it is Broken and harms nobody;
- entities of one unit live in one namespace, or in namespaces that the Topology lists; of others
  the younger are Broken and the older is served undisturbed;
- so it is with a Binding name that stands for two addresses: the older Binding's is served. No
  refusal names an object of somebody else;
- an address that a node says is its own and nobody has served yet (`own_addresses`), or the edge
  of a block, makes the whole unit Broken;
- an enabled entity makes its unit managed; a unit whose entities only follow goes with its leader;
- entities that prefer different nodes are in conflict, and then none of them counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from duravip_api.reasons import Reason
from duravip_operator.core import move_requests
from duravip_operator.core.node_addresses import NO_CLAIMS, NOBODY, NodeClaims, node_claims
from duravip_operator.core.snapshot import (
    MoveRequest,
    Rejection,
    Selector,
    Service,
    Snapshot,
    Topology,
    VipObject,
)
from duravip_operator.core.topologies import Blocks, is_edge

MOST_NAMED = 5
"""So many are named in a message: every object that it is about carries it."""


class Unit(NamedTuple):
    """One address and everybody who names it."""

    address: str
    vips: tuple[VipObject, ...]
    """Those that count, the oldest first."""
    managed: bool = False
    """Whether an entity enables it, or it follows one that is."""
    preference: str = ""
    preference_conflict: str = ""
    """Who prefers which node, when they differ; the preference is then empty."""
    request: MoveRequest | None = None
    """The last one that is in force and that no preference forbids."""
    leader: str = ""
    """The address of the unit that it follows."""
    services: frozenset[Service] = frozenset()
    """What any of its entities says that listens."""
    broken: Rejection | None = None
    refusal: Rejection | None = None
    """Why nobody may hold it, although it is not broken."""
    selectors: frozenset[Selector] = frozenset()
    """Its entities': a node must match any of them, and its Topology's besides."""
    claimants: frozenset[str] = NOBODY
    """The nodes that say that the address is their own: none of them may hold it."""
    topology: Topology | None = None

    @property
    def electable(self) -> bool:
        """Whether an owner is to be found for it."""
        return self.managed and not self.broken and not self.refusal


@dataclass(frozen=True, slots=True)
class Units:
    """All units, and the entities that belong to none."""

    units: Mapping[str, Unit]
    rejected: Mapping[str, Rejection]
    """By uid of the entity."""
    inputs: "UnitInputs | None" = None
    """What the units were made from."""


class UnitInputs(NamedTuple):
    """All that a unit is made from: of whatever is the same here the unit is the same."""

    blocks: Blocks
    groups: Mapping[str, Sequence[VipObject]]
    """By address, everybody who names it."""
    faults: Mapping[str, Mapping[str, Rejection]]
    """By address and uid, the Bindings whose name stands for another address."""
    claims: NodeClaims = NO_CLAIMS

    def differing(self, other: "UnitInputs") -> set[str]:
        """The addresses of which something else is true in itself."""
        own, standing = self.claims
        addresses = self.faults.keys() | other.faults.keys()
        changed = {a for a in addresses if self.faults.get(a) != other.faults.get(a)}
        changed.update(a for a, _ in own.items() ^ other.claims.nodes.items())
        return changed.union(standing ^ other.claims.in_service)


def build_units(snapshot: Snapshot, blocks: Blocks, last: Units | None = None) -> Units:
    """Sort the entities into units; those of the last time are taken where nothing has changed."""
    refused: dict[str, Rejection] = {}
    groups: dict[str, list[VipObject]] = defaultdict(list)
    for vip in snapshot.vips:
        if vip.rejection:
            refused[vip.uid] = vip.rejection
        elif vip.address:
            groups[vip.address].append(vip)
    mismatched = _mismatched_names(groups, blocks)
    basis = UnitInputs(blocks, groups, mismatched, node_claims(snapshot, groups))
    alike = _alike(last, basis)
    same = _same(alike, last, basis)
    units: dict[str, Unit] = {}
    for address, group in groups.items():
        if address in same:
            units[address] = same[address]
            continue
        topology = blocks.topology_of(address)
        if wrong := mismatched.get(address):
            refused.update(wrong)
            group = [vip for vip in group if vip.uid not in wrong]  # noqa: PLW2901
        vips = _admitted(group, topology, refused)
        if vips:
            unit = alike.get(address)
            if unit is None or unit.vips != vips:
                unit = _unit(address, vips)
            broken = _fault(address, vips, topology, basis)
            claimants = basis.claims.nodes.get(address, NOBODY)
            units[address] = _placed(unit, topology, broken, claimants)
    return Units(units, refused, basis)


def _alike(last: Units | None, basis: UnitInputs) -> dict[str, Unit]:
    """The units of last time that the same entities name."""
    if last is None or last.inputs is None:
        return {}
    before, now = last.inputs.groups, basis.groups
    return {a: unit for a, unit in last.units.items() if before.get(a) == now.get(a)}


def _same(alike: Mapping[str, Unit], last: Units | None, basis: UnitInputs) -> dict[str, Unit]:
    """Those of them that would be made from the same altogether, with their present Topology."""
    if last is None or last.inputs is None or last.inputs.blocks.shape != basis.blocks.shape:
        return {}
    changed = last.inputs.differing(basis)
    same = {
        address: unit
        for address, unit in alike.items()
        if address not in changed and len(unit.vips) == len(basis.groups[address])
    }
    if basis.blocks is last.inputs.blocks:
        return same
    present = {topology.name: topology for topology in basis.blocks.topologies}
    return {
        # As _replace does, in a third of the time; the Topology is a unit's last field.
        address: Unit(*unit[:-1], unit.topology and present[unit.topology.name])
        for address, unit in same.items()
    }


def may_share(namespace: str, senior: VipObject, topology: Topology | None) -> bool:
    """Whether objects of a namespace may name, or follow, the address that `senior` has."""
    listed = topology.namespaces if topology else None
    return namespace == senior.namespace if listed is None else namespace in listed


def _admitted(
    group: Sequence[VipObject], topology: Topology | None, refused: dict[str, Rejection]
) -> tuple[VipObject, ...]:
    """Those of the group that may stand on one address together."""
    ranked = sorted(group, key=lambda e: e.seniority) if len(group) > 1 else group
    if not ranked:
        return ()
    senior = ranked[0]
    admitted = []
    for vip in ranked:
        if may_share(vip.namespace, senior, topology):
            admitted.append(vip)
        elif topology and topology.namespaces is not None:
            why = (
                f"{vip.label}: spec.address: Topology {topology.name} "
                f"does not admit namespace {vip.namespace}"
            )
            refused[vip.uid] = Rejection(Reason.NO_TOPOLOGY, why)
        else:
            why = f"{vip.label}: spec.address: {vip.address} belongs to another namespace"
            refused[vip.uid] = Rejection(Reason.NAMESPACE_CONFLICT, why)
    return tuple(admitted)


def _fault(
    address: str, vips: tuple[VipObject, ...], topology: Topology | None, basis: UnitInputs
) -> Rejection | None:
    own, standing = basis.claims
    is_own = address in own and address not in standing
    if not is_own and not (topology and is_edge(topology, address)):
        return None
    where = f"{vips[0].label}: spec.address: {address}"
    if is_own or topology is None:
        why = f"{where} is an address of node {min(own[address])}"
        return Rejection(Reason.NODE_ADDRESS, why)
    why = f"{where} is the network or broadcast address of {topology.cidr}"
    return Rejection(Reason.BLOCK_EDGE, why)


def _mismatched_names(
    groups: Mapping[str, Sequence[VipObject]], blocks: Blocks
) -> dict[str, Mapping[str, Rejection]]:
    """`{address: {uid: why}}` of every Binding whose name stands for another address already.

    That is the one of the oldest Binding of the name that may stand on its own address.
    """
    named: dict[str, set[str]] = defaultdict(set)
    for address, group in groups.items():
        for vip in group:
            if vip.kind == "Binding":
                named[vip.name].add(address)
    found: dict[str, dict[str, Rejection]] = defaultdict(dict)
    for name, addresses in named.items():
        if len(addresses) > 1:
            namesakes = _namesakes(name, [groups[address] for address in addresses], blocks)
            for younger in namesakes:
                if younger.address != namesakes[0].address:
                    found[younger.address][younger.uid] = _mismatch(younger)
    return dict(found)


def _namesakes(
    name: str, groups: Iterable[Sequence[VipObject]], blocks: Blocks
) -> list[VipObject]:
    """The Bindings of a name that may stand on their addresses, the oldest first."""
    found = [
        vip
        for group in groups
        for vip in _admitted(group, blocks.topology_of(group[0].address), {})
        if vip.kind == "Binding" and vip.name == name
    ]
    return sorted(found, key=lambda vip: vip.seniority)


def _mismatch(binding: VipObject) -> Rejection:
    """Said without a word of the other Binding: it may be somebody else's."""
    why = (
        f"{binding.label}: spec.address: Binding name {binding.name} stands for several "
        "addresses: an older Binding has another one"
    )
    return Rejection(Reason.NAME_MISMATCH, why)


def _unit(address: str, vips: tuple[VipObject, ...]) -> Unit:
    """What its entities say; where it belongs is still open."""
    enabled = [vip for vip in vips if vip.enabled]
    preferred = {vip.preference: vip for vip in reversed(enabled) if vip.preference}
    agreed = next(iter(preferred)) if len(preferred) == 1 else ""
    differ = ""
    if len(preferred) > 1:
        shown = sorted(preferred.items())[:MOST_NAMED]
        differ = "; ".join(f"{vip.label} prefers {node}" for node, vip in shown)
    asked = [a for e in vips for a in e.requests if not move_requests.is_refused(a, agreed)]
    return Unit(
        address,
        vips,
        managed=bool(enabled),
        preference=agreed,
        preference_conflict=differ,
        request=max(asked) if asked else None,
        services=frozenset().union(*[vip.services for vip in vips]),
    )


def _placed(
    unit: Unit,
    topology: Topology | None,
    broken: Rejection | None,
    claimants: frozenset[str],
) -> Unit:
    """The same unit where it belongs by its address, and what is wrong with that."""
    refusal = None
    if topology is None:
        why = f"{unit.vips[0].label}: spec.address: no Topology covers {unit.address}"
        refusal = Rejection(Reason.NO_TOPOLOGY, why)
    selectors = [vip.selector for vip in unit.vips]
    return unit._replace(
        topology=topology,
        broken=broken,
        refusal=refusal,
        selectors=_interned(frozenset(selectors)),
        claimants=claimants,
    )


@lru_cache(maxsize=16384)
def _interned(selectors: frozenset[Selector]) -> frozenset[Selector]:
    """One object for equal sets: they are compared for every unit in every pass."""
    return selectors
