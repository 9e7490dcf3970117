"""Followers: addresses that go wherever another address goes, and the groups they form.

Only a DuraVIP follows, and only a managed unit is followed: by the name of a Binding in its own
namespace, or by address. Anything else leaves the follower without an owner and says why
(semantics 28, 29, 31). Because a follower narrows where its leader can go, the rule of
namespaces (`units.may_share`) holds for it as well, and a follower that breaks it is Broken
(semantics 54).

A leader with its followers is an *affinity group*, which the election places on one node.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from duravip_api.addresses import to_int
from duravip_api.reasons import Reason
from duravip_operator.core.node_selectors import SelectorIndex
from duravip_operator.core.snapshot import ReadinessKeys, Rejection, VipObject
from duravip_operator.core.units import Unit, Units, may_share


def link_followers(built: Units) -> Units:
    """The units, with those that only follow linked to their leader, or refused with a reason."""
    bindings = binding_addresses(built)
    units, refused = dict(built.units), dict(built.rejected)
    for address, unit in built.units.items():
        followers = [vip for vip in unit.vips if vip.follow]
        if not followers:
            continue
        if not unit.managed:
            units[address] = _led(unit, followers[0], bindings, built.units)
        else:
            selfish = [vip for vip in followers if followed_address(vip, bindings) == address]
            refused.update((vip.uid, _same_address(vip)) for vip in selfish)
    return Units(units, refused)


def binding_addresses(built: Units) -> dict[tuple[str, str], str]:
    """`{(namespace, name): address}` of every Binding that can be followed by its name."""
    return {
        (vip.namespace, vip.name): address
        for address, unit in built.units.items()
        for vip in unit.vips
        if vip.kind == "Binding"
    }


def followed_address(follower: VipObject, bindings: Mapping[tuple[str, str], str]) -> str:
    """The address that it follows: a Binding's of this name, else `spec.follow` as an address."""
    return bindings.get((follower.namespace, follower.follow), follower.follow)


def _led(
    unit: Unit,
    follower: VipObject,
    bindings: Mapping[tuple[str, str], str],
    units: Mapping[str, Unit],
) -> Unit:
    target = followed_address(follower, bindings)
    leader = units.get(target)
    where = f"{follower.label}: spec.follow: {follower.follow!r}"
    others = {vip.follow for vip in unit.vips if vip.follow} - {follower.follow}
    if target == unit.address:
        wrong = _same_address(follower)
    elif others:
        why = f"{where}: another DuraVIP on {unit.address} follows {min(others)!r}"
        wrong = Rejection(Reason.FOLLOW_INVALID, why)
    elif leader is None:
        wrong = Rejection(Reason.FOLLOW_INVALID, f"{where} is not a managed Binding or address")
    elif not may_share(follower.namespace, leader.vips[0], leader.topology):
        why = f"{where} belongs to another namespace"
        return unit._replace(managed=True, broken=Rejection(Reason.NAMESPACE_CONFLICT, why))
    elif not leader.managed:
        why = f"{where} is not enabled, or is itself a follower"
        wrong = Rejection(Reason.FOLLOW_INVALID, why)
    else:
        return unit._replace(managed=True, leader=target)
    return unit._replace(managed=True, refusal=unit.refusal or wrong)


def _same_address(follower: VipObject) -> Rejection:
    why = f"{follower.label}: spec.follow: {follower.follow!r} has this very address"
    return Rejection(Reason.FOLLOW_SAME_ADDRESS, why)


class AffinityGroup(NamedTuple):
    """A leader with its followers, in ascending order of address."""

    leader: Unit
    followers: tuple[Unit, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units of the group, the leader first."""
        return (self.leader, *self.followers)

    @property
    def weight(self) -> int:
        """How many addresses it brings to its owner."""
        return 1 + len(self.followers)


_Kind = tuple[str, frozenset[str], str, float, tuple[ReadinessKeys, ReadinessKeys]]
"""Topology, matching nodes, preference, failback, readiness by either policy."""


class Interchangeable(NamedTuple):
    """Addresses that the election need not tell apart: no followers, no request, no claimant."""

    example: Unit
    """One of their units."""
    addresses: frozenset[str]
    """All that have the example's Topology, preference, failback and readiness, and selectors that
    match the same nodes."""


@dataclass(frozen=True, slots=True)
class AffinityGroups:
    """Everything that an owner is to be elected for."""

    by_leader: Mapping[str, AffinityGroup]
    """By the leader's address."""
    interchangeable: tuple[Interchangeable, ...]
    """The addresses that can be placed as sets; each is a group of its own in `by_leader` as
    well."""


def build_groups(units: Mapping[str, Unit], selection: SelectorIndex) -> AffinityGroups:
    """Group the electable units by whom they follow."""
    followers: dict[str, list[Unit]] = defaultdict(list)
    for unit in units.values():
        if unit.leader and unit.electable:
            followers[unit.leader].append(unit)
    for led in followers.values():
        led.sort(key=lambda unit: to_int(unit.address))
    by_leader: dict[str, AffinityGroup] = {}
    kinds: dict[_Kind, tuple[Unit, list[str]]] = {}
    for address, unit in units.items():
        if unit.leader or not unit.electable:
            continue
        led, topology = followers.get(address, []), unit.topology
        by_leader[address] = AffinityGroup(unit, tuple(led))
        is_odd = led or unit.request or unit.claimants
        if topology and not (is_odd or topology.excludes_off_subnet):
            matching = selection.matching_any(unit.selectors)
            readiness = (unit.readiness, unit.soft_readiness)
            kind = (topology.name, matching, unit.preference, unit.failback_s, readiness)
            members = kinds.get(kind)
            if members is None:
                members = kinds[kind] = (unit, [])
            members[1].append(address)
    alike = tuple(
        Interchangeable(unit, frozenset(addresses)) for unit, addresses in kinds.values()
    )
    return AffinityGroups(by_leader, alike)
