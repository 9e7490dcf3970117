"""Units: one virtual address with every object that names it, the thing that gets an owner.

Several DuraVIPs and Bindings may name the same address. `build_units` groups the objects by
address, decides which of them count, and rejects the others. Rules, in the order in which they
are applied (semantics 3, 6, 8, 28-33, 38, 40, 42, 54):

1. An object that cannot be parsed belongs to no unit: it is Broken and harms no other object.
2. The objects of one unit live in one namespace, or in namespaces that the Topology lists. Of
   others the younger are Broken, and the older is served undisturbed.
3. A Binding name stands for one address. Of several Bindings of a name the oldest counts; those
   with another address are Broken. No rejection names an object of somebody else.
4. The whole unit is Broken if a node claims the address as its own and nobody has served it yet
   (`node_addresses`), or if it is the network or broadcast address of its block.
5. One enabled object makes its unit managed. A unit whose objects only follow is managed with the
   unit that it follows (`followers`).
6. Objects that prefer different nodes are in conflict, and then no preference counts.
7. A node is fit for a unit that is fit for all that its objects ask for (`readiness`).
8. One object that lets in declared ports alone guards the address; the ports of all are open.

Age decides between objects (`VipObject.seniority`: creation time, then namespace, name and
kind), so every replica comes to the same result whatever the order of arrival.

A pass over ten thousand addresses must not rebuild ten thousand units because one object was
edited. `UnitInputs` holds everything that a unit is built from; where the inputs of an address
are what they were, its last unit is reused.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from duravip_api.guards import MOST_OPEN_PORTS, Ports
from duravip_api.reasons import Reason
from duravip_operator.core import move_requests
from duravip_operator.core.node_addresses import NO_CLAIMS, NO_NODES, NodeClaims, node_claims
from duravip_operator.core.snapshot import (
    MoveRequest,
    ReadinessKeys,
    Rejection,
    Selector,
    Service,
    Snapshot,
    Topology,
    VipObject,
)
from duravip_operator.core.topologies import Blocks, is_edge

NO_READINESS: ReadinessKeys = frozenset()
MAX_NAMED = 5
"""At most this many objects are named in a message: every object that it concerns carries it."""


class Unit(NamedTuple):
    """One address and the objects that name it."""

    address: str
    vips: tuple[VipObject, ...]
    """The objects that count, the oldest first."""
    managed: bool = False
    """Whether an object enables it, or it follows a unit that is managed."""
    preference: str = ""
    """The node that its enabled objects prefer; empty: none, or they disagree."""
    preference_conflict: str = ""
    """Which object prefers which node, when they disagree; else empty."""
    failback_s: float = 0.0
    """How long the preferred node must be well before it takes the address back, in seconds."""
    may_balance: bool = True
    """Whether it may be moved to even out the load: every object on it agrees."""
    request: MoveRequest | None = None
    """The latest request that is in force and not forbidden by the preference."""
    leader: str = ""
    """The address of the unit that it follows; empty: it follows none."""
    services: frozenset[Service] = frozenset()
    """What people declare to listen on it: the ports of a Service are listened on by nobody."""
    open_ports: Ports | None = None
    """The ports that are let in, where an object lets in no others; None: all are."""
    broken: Rejection | None = None
    """Why the unit is Broken; None: it is not."""
    refusal: Rejection | None = None
    """Why no node may hold it although it is not broken."""
    selectors: frozenset[Selector] = frozenset()
    """The selectors of its objects. A node must match one of them, and its Topology's selector."""
    readiness: ReadinessKeys = NO_READINESS
    """What makes a node fit for it; an unfit one is set aside (policy Require of its objects)."""
    soft_readiness: ReadinessKeys = NO_READINESS
    """What makes a node fit for it, if it has to go somewhere (policy Prefer)."""
    claimants: frozenset[str] = NO_NODES
    """Nodes that claim the address as their own: none of them may hold it."""
    topology: Topology | None = None

    @property
    def electable(self) -> bool:
        """Whether an owner is to be elected for it."""
        return self.managed and not self.broken and not self.refusal


@dataclass(frozen=True, slots=True)
class Units:
    """All units, and the objects that belong to none."""

    units: Mapping[str, Unit]
    rejected: Mapping[str, Rejection]
    """By uid of the object."""
    inputs: "UnitInputs | None" = None
    """What the units were built from; None once followers are linked."""


class UnitInputs(NamedTuple):
    """All that units are built from: where it is equal, the units are."""

    blocks: Blocks
    groups: Mapping[str, Sequence[VipObject]]
    """By address: all objects that name it."""
    faults: Mapping[str, Mapping[str, Rejection]]
    """By address and uid: Bindings whose name stands for another address."""
    claims: NodeClaims = NO_CLAIMS

    def differing(self, other: "UnitInputs") -> set[str]:
        """The addresses whose faults or claims differ from those of the other inputs."""
        claimed, in_service = self.claims
        addresses = self.faults.keys() | other.faults.keys()
        changed = {a for a in addresses if self.faults.get(a) != other.faults.get(a)}
        changed.update(a for a, _ in claimed.items() ^ other.claims.nodes.items())
        return changed.union(in_service ^ other.claims.in_service)


def build_units(snapshot: Snapshot, blocks: Blocks, last: Units | None = None) -> Units:
    """Group the objects into units, reusing those of `last` whose inputs have not changed."""
    rejected: dict[str, Rejection] = {}
    groups: dict[str, list[VipObject]] = defaultdict(list)
    for vip in snapshot.vips:
        if vip.rejection:
            rejected[vip.uid] = vip.rejection
        elif vip.address:
            groups[vip.address].append(vip)
    mismatched = _mismatched_names(groups, blocks)
    inputs = UnitInputs(blocks, groups, mismatched, node_claims(snapshot, groups))
    with_same_vips = _with_same_vips(last, inputs)
    unchanged = _unchanged(with_same_vips, last, inputs)
    units: dict[str, Unit] = {}
    for address, group in groups.items():
        if address in unchanged:
            units[address] = unchanged[address]
            continue
        topology = blocks.topology_of(address)
        if wrong := mismatched.get(address):
            rejected.update(wrong)
            group = [vip for vip in group if vip.uid not in wrong]  # noqa: PLW2901
        vips = _admit(group, topology, rejected)
        if vips:
            unit = with_same_vips.get(address)
            if unit is None or unit.vips != vips:
                unit = _unit(address, vips)
            broken = _address_fault(address, vips, topology, inputs)
            claimants = inputs.claims.nodes.get(address, NO_NODES)
            units[address] = _placed(unit, topology, broken, claimants)
    return Units(units, rejected, inputs)


def _with_same_vips(last: Units | None, inputs: UnitInputs) -> dict[str, Unit]:
    """The last units whose addresses are named by the same objects as now."""
    if last is None or last.inputs is None:
        return {}
    before, now = last.inputs.groups, inputs.groups
    return {a: unit for a, unit in last.units.items() if before.get(a) == now.get(a)}


def _unchanged(
    with_same_vips: Mapping[str, Unit], last: Units | None, inputs: UnitInputs
) -> dict[str, Unit]:
    """Those of `with_same_vips` whose other inputs are the same too, with the present Topology."""
    if last is None or last.inputs is None or last.inputs.blocks.shape != inputs.blocks.shape:
        return {}
    changed = last.inputs.differing(inputs)
    unchanged = {
        address: unit
        for address, unit in with_same_vips.items()
        if address not in changed and len(unit.vips) == len(inputs.groups[address])
    }
    if inputs.blocks is last.inputs.blocks:
        return unchanged
    present = {topology.name: topology for topology in inputs.blocks.topologies}
    return {
        # As _replace does, in a third of the time; the Topology is a unit's last field.
        address: Unit(*unit[:-1], unit.topology and present[unit.topology.name])
        for address, unit in unchanged.items()
    }


def may_share(namespace: str, senior: VipObject, topology: Topology | None) -> bool:
    """Whether objects of a namespace may name an address whose oldest object is `senior`.

    The same rule decides whether they may follow it.
    """
    listed = topology.namespaces if topology else None
    return namespace == senior.namespace if listed is None else namespace in listed


def _admit(
    group: Sequence[VipObject], topology: Topology | None, rejected: dict[str, Rejection]
) -> tuple[VipObject, ...]:
    """Those of the group that may share one address, the oldest first; rejects the others."""
    by_age = sorted(group, key=lambda vip: vip.seniority) if len(group) > 1 else group
    if not by_age:
        return ()
    senior = by_age[0]
    admitted = []
    for vip in by_age:
        if may_share(vip.namespace, senior, topology):
            admitted.append(vip)
        elif topology and topology.namespaces is not None:
            why = (
                f"{vip.label}: spec.address: Topology {topology.name} "
                f"does not admit namespace {vip.namespace}"
            )
            rejected[vip.uid] = Rejection(Reason.NO_TOPOLOGY, why)
        else:
            why = f"{vip.label}: spec.address: {vip.address} belongs to another namespace"
            rejected[vip.uid] = Rejection(Reason.NAMESPACE_CONFLICT, why)
    return tuple(admitted)


def _address_fault(
    address: str, vips: tuple[VipObject, ...], topology: Topology | None, inputs: UnitInputs
) -> Rejection | None:
    claimed, in_service = inputs.claims
    is_own = address in claimed and address not in in_service
    if not is_own and not (topology and is_edge(topology, address)):
        return None
    where = f"{vips[0].label}: spec.address: {address}"
    if is_own or topology is None:
        why = f"{where} is an address of node {min(claimed[address])}"
        return Rejection(Reason.NODE_ADDRESS, why)
    why = f"{where} is the network or broadcast address of {topology.cidr}"
    return Rejection(Reason.BLOCK_EDGE, why)


def _mismatched_names(
    groups: Mapping[str, Sequence[VipObject]], blocks: Blocks
) -> dict[str, Mapping[str, Rejection]]:
    """`{address: {uid: rejection}}` of Bindings whose name already stands for another address.

    That is the address of the oldest Binding of the name that is admitted on its own address.
    """
    named: dict[str, set[str]] = defaultdict(set)
    for address, group in groups.items():
        for vip in group:
            if vip.kind == "Binding":
                named[vip.name].add(address)
    by_address: dict[str, dict[str, Rejection]] = defaultdict(dict)
    for name, addresses in named.items():
        if len(addresses) > 1:
            namesakes = _namesakes(name, [groups[address] for address in addresses], blocks)
            for younger in namesakes:
                if younger.address != namesakes[0].address:
                    by_address[younger.address][younger.uid] = _mismatch(younger)
    return dict(by_address)


def _namesakes(
    name: str, groups: Iterable[Sequence[VipObject]], blocks: Blocks
) -> list[VipObject]:
    """The Bindings of a name that are admitted on their addresses, the oldest first."""
    admitted = [
        vip
        for group in groups
        for vip in _admit(group, blocks.topology_of(group[0].address), {})
        if vip.kind == "Binding" and vip.name == name
    ]
    return sorted(admitted, key=lambda vip: vip.seniority)


def _mismatch(binding: VipObject) -> Rejection:
    """A rejection that does not mention the other Binding, which may belong to somebody else."""
    why = (
        f"{binding.label}: spec.address: Binding name {binding.name} stands for several "
        "addresses: an older Binding has another one"
    )
    return Rejection(Reason.NAME_MISMATCH, why)


def _unit(address: str, vips: tuple[VipObject, ...]) -> Unit:
    """A unit as its objects describe it, without its Topology."""
    enabled = [vip for vip in vips if vip.enabled]
    preferred = {vip.preference: vip for vip in reversed(enabled) if vip.preference}
    agreed = next(iter(preferred)) if len(preferred) == 1 else ""
    conflict = ""
    if len(preferred) > 1:
        shown = sorted(preferred.items())[:MAX_NAMED]
        conflict = "; ".join(f"{vip.label} prefers {node}" for node, vip in shown)
    failback_s = max((vip.failback_s for vip in enabled), default=0.0)
    requests = [
        request
        for vip in vips
        for request in vip.requests
        if not move_requests.is_refused(request, agreed, failback_s)
    ]
    return Unit(
        address,
        vips,
        managed=bool(enabled),
        preference=agreed,
        preference_conflict=conflict,
        failback_s=failback_s,
        may_balance=all(vip.may_balance for vip in vips),
        request=max(requests) if requests else None,
        services=frozenset().union(*[vip.services for vip in vips if not vip.origin]),
        open_ports=_open_ports(vips) if any(vip.is_guarded for vip in vips) else None,
    )


def _readiness(vips: Iterable[VipObject], policy: str, topology: Topology | None) -> ReadinessKeys:
    """All that the objects with this policy ask of a node."""
    asked = [vip.readiness for vip in vips if vip.readiness and vip.readiness_policy == policy]
    if not asked or topology is None:
        return NO_READINESS
    return _interned_keys(frozenset().union(*asked), topology.name)


@lru_cache(maxsize=16384)
def _interned_keys(keys: ReadinessKeys, topology: str) -> ReadinessKeys:
    """One object for equal sets: kinds of units are told apart by it in every pass.

    A check is that of one Topology.
    """
    checks = frozenset(key for key in keys if key.kind == "check")
    return (keys - checks) | {key._replace(topology=topology) for key in checks}


def _open_ports(vips: Iterable[VipObject]) -> Ports:
    """The ports that any of the objects declares; of too many the last ones stay closed."""
    ports = {port for vip in vips for port, _ in vip.services}
    return frozenset(sorted(ports)[:MOST_OPEN_PORTS])


def _placed(
    unit: Unit,
    topology: Topology | None,
    broken: Rejection | None,
    claimants: frozenset[str],
) -> Unit:
    """The unit with its Topology, and with what is wrong with its address."""
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
        readiness=_readiness(unit.vips, "Require", topology),
        soft_readiness=_readiness(unit.vips, "Prefer", topology),
        claimants=claimants,
    )


@lru_cache(maxsize=16384)
def _interned(selectors: frozenset[Selector]) -> frozenset[Selector]:
    """One object for equal sets: they are compared for every unit in every pass."""
    return selectors
