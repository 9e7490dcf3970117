"""Admission: which objects are refused when somebody writes them, and with which message.

An object is refused if the next pass would reject it, or call its address Broken, for what it
says itself. So the rules are those of a pass (`parsing`, `topologies`, `units`,
`reserved_addresses`, `followers`), applied to the object and to whatever its verdict can depend
on; the two cannot differ. Three things do:

- The writer counts as the youngest, however old the object is: an edit takes nothing from anybody.
- What may still become right is admitted: the Topology, or the unit that is followed, may come
  later.
- A fault that the object had before is not refused again: nobody is locked out of mending
  something else.

The message is the pass's own sentence, with advice on what to write instead.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from duravip_api.reasons import Reason
from duravip_operator.core import address_pools, followers, reserved_addresses, topologies, units
from duravip_operator.core.address_pools import AddressPool
from duravip_operator.core.snapshot import Rejection, Snapshot, Topology, VipObject

NEWCOMER: Final = ""
"""The uid that the object is judged under: no other object has it."""

LAST: Final = "~"
"""The creation time that it is judged under: it sorts after every date."""

ADVICE: Final[Mapping[Reason, str]] = {
    Reason.NODE_ADDRESS: "choose an address that no node has as its own",
    Reason.RESERVED: "choose an address that is not reserved",
    Reason.API_SERVER: "choose an address that no other host has",
    Reason.NEXT_HOP: "choose an address that no other host has",
    Reason.BLOCK_EDGE: "choose an address between the first and the last one of the block",
    Reason.NAME_MISMATCH: "write the address that the name has already, or choose another name",
    Reason.NAMESPACE_CONFLICT: "choose an address that no other namespace uses, or ask for a "
    "Topology whose spec.namespaces lists both",
    Reason.NO_TOPOLOGY: "choose an address of a block that the namespace may use, or ask for the "
    "namespace in the Topology's spec.namespaces",
    Reason.FOLLOW_SAME_ADDRESS: "write two different addresses: one that leads, one that follows",
    Reason.DUPLICATE_CIDR: "edit that Topology, or write another block",
    Reason.OVERLAP: "write ranges that no other AddressPool has",
    Reason.ADDRESS_INVALID: "write one that a host can have, e.g. 10.1.1.1 or fd00::1",
}
"""What to write instead, where the rejection does not say so."""


def refusal(
    snapshot: Snapshot, new: VipObject | Topology, old: VipObject | Topology | None = None
) -> Rejection | None:
    """Why an object may not become `new`, with advice; None if it may.

    `old` is the object as it stands; None if it is about to be created.
    """
    fault = _fault(snapshot, new)
    if fault is None or (
        old and _address(old) == _address(new) and _fault(snapshot, old) == fault
    ):
        return None
    return _advised(fault)


def pool_refusal(
    pools: Iterable[AddressPool], new: AddressPool, old: AddressPool | None = None
) -> Rejection | None:
    """Why an AddressPool may not become `new`, with advice; None if it may."""
    others = [pool for pool in pools if pool.name != new.name]
    fault = _pool_fault(others, new)
    if fault is None or (old and old.ranges == new.ranges and _pool_fault(others, old) == fault):
        return None
    return _advised(fault)


def _advised(fault: Rejection) -> Rejection:
    message = "; ".join(filter(None, (fault.message, ADVICE.get(fault.reason))))
    return fault._replace(message=message)


def _pool_fault(others: Iterable[AddressPool], pool: AddressPool) -> Rejection | None:
    judged = address_pools.judge((*others, pool._replace(created=LAST)))
    return next(each.rejection for each in judged if each.name == pool.name)


def _address(thing: VipObject | Topology) -> str:
    return thing.cidr if isinstance(thing, Topology) else thing.address


def _fault(snapshot: Snapshot, thing: VipObject | Topology) -> Rejection | None:
    """What a pass would say about it, had it just been created."""
    if thing.rejection:
        return thing.rejection
    if isinstance(thing, Topology):
        return _duplicate(snapshot, thing)
    return _vip_fault(snapshot, thing) if thing.address else None


def _duplicate(snapshot: Snapshot, topology: Topology) -> Rejection | None:
    others = (other for other in snapshot.topologies if other.name != topology.name)
    newcomer = replace(topology, created=LAST)
    judged = topologies.build_blocks((*others, newcomer), snapshot.fencing).topologies
    return next(each.rejection for each in judged if each.name == topology.name)


def _vip_fault(snapshot: Snapshot, vip: VipObject) -> Rejection | None:
    newcomer = replace(vip, uid=NEWCOMER, created=LAST)
    world = replace(snapshot, vips=(*_concerned(newcomer, snapshot.vips), newcomer))
    blocks = topologies.build_blocks(snapshot.topologies, snapshot.fencing)
    built = units.build_units(world, blocks)
    hosts = reserved_addresses.find_other_hosts(world)
    linked = followers.link_followers(
        reserved_addresses.reject_reserved(built, blocks.topologies, hosts)
    )
    if NEWCOMER in linked.rejected:
        return linked.rejected[NEWCOMER]
    unit = linked.units[newcomer.address]
    if unit.broken:
        return _worded_for(newcomer, unit.broken, unit.vips)
    return _shared(unit, newcomer, followers.binding_addresses(linked))


def _concerned(newcomer: VipObject, vips: Iterable[VipObject]) -> list[VipObject]:
    """The objects that the verdict depends on: of its address, of its name, or what it follows."""
    addresses = {newcomer.address, newcomer.follow} - {""}
    names = {newcomer.name, newcomer.follow}
    near = [
        vip
        for vip in vips
        if (vip.address in addresses or vip.name in names) and vip.label != newcomer.label
    ]
    return [
        vip
        for vip in near
        if vip.address in addresses
        or (vip.kind == newcomer.kind == "Binding" and vip.name == newcomer.name)
        or _is_led_by(newcomer, vip)
    ]


def _is_led_by(follower: VipObject, vip: VipObject) -> bool:
    named = (vip.kind, vip.namespace, vip.name)
    return named == ("Binding", follower.namespace, follower.follow)


def _worded_for(newcomer: VipObject, fault: Rejection, vips: Iterable[VipObject]) -> Rejection:
    """The fault of an address, worded for the object that is about to name it."""
    text = fault.message
    for vip in vips:
        text = text.removeprefix(f"{vip.label}: ")
    field = "" if text.startswith("spec.") else "spec.address: "
    return Rejection(fault.reason, f"{newcomer.label}: {field}{text}")


def _shared(
    unit: units.Unit, newcomer: VipObject, bindings: Mapping[tuple[str, str], str]
) -> Rejection | None:
    """The rejection if it would follow its own address, or its follower has that address."""
    for vip in unit.vips:
        if not vip.follow or followers.followed_address(vip, bindings) != unit.address:
            continue
        if vip.uid == NEWCOMER:
            why = f"{vip.label}: spec.follow: {vip.follow!r} has this very address"
            return Rejection(Reason.FOLLOW_SAME_ADDRESS, why)
        if _is_led_by(vip, newcomer):
            why = f"{newcomer.label}: spec.address: {unit.address} is that of its own follower"
            return Rejection(Reason.FOLLOW_SAME_ADDRESS, f"{why}, {vip.label}")
    return None
