"""Followers: an address that goes wherever another one goes.

Only a DuraVIP follows, and only an enabled unit is followed: by the name of a Binding in its own
namespace, or by address. Anything else leaves the follower without an owner and says why
(semantics 28, 29, 31). A follower narrows where its leader can go, so it is of the leader's unit:
the rule of the namespaces holds for it, and one that breaks it is Broken (semantics 54).

Parties: a leader with its followers, elected as one.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from duravip_api.addresses import to_int
from duravip_api.reasons import Reason
from duravip_operator.core.node_selectors import SelectorIndex
from duravip_operator.core.snapshot import Rejection, VipObject
from duravip_operator.core.units import Unit, Units, may_share


def link_followers(judged: Units) -> Units:
    """The same units, those that only follow now with their leader, or with what is wrong."""
    named = binding_addresses(judged)
    units, refused = dict(judged.units), dict(judged.rejected)
    for address, unit in judged.units.items():
        followers = [vip for vip in unit.vips if vip.follow]
        if not followers:
            continue
        if not unit.managed:
            units[address] = _led(unit, followers[0], named, judged.units)
        else:
            selfish = [vip for vip in followers if followed_address(vip, named) == address]
            refused.update((vip.uid, _same_address(vip)) for vip in selfish)
    return Units(units, refused)


def binding_addresses(judged: Units) -> dict[tuple[str, str], str]:
    """`{(namespace, name): address}` of every Binding that can be followed by its name."""
    return {
        (vip.namespace, vip.name): address
        for address, unit in judged.units.items()
        for vip in unit.vips
        if vip.kind == "Binding"
    }


def followed_address(follower: VipObject, named: Mapping[tuple[str, str], str]) -> str:
    """The address that it follows: a Binding's of this name, else the one that it gives itself."""
    return named.get((follower.namespace, follower.follow), follower.follow)


def _led(
    unit: Unit,
    follower: VipObject,
    named: Mapping[tuple[str, str], str],
    units: Mapping[str, Unit],
) -> Unit:
    target = followed_address(follower, named)
    leader = units.get(target)
    where = f"{follower.label}: spec.follow: {follower.follow!r}"
    others = {vip.follow for vip in unit.vips if vip.follow} - {follower.follow}
    if target == unit.address:
        wrong = _same_address(follower)
    elif others:
        why = f"{where}: another DuraVIP on {unit.address} follows {min(others)!r}"
        wrong = Rejection(Reason.FOLLOW_INVALID, why)
    elif leader is None:
        wrong = Rejection(Reason.FOLLOW_INVALID, f"{where} is no managed Binding or address")
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
    """A leader with its followers."""

    leader: Unit
    followers: tuple[Unit, ...]

    @property
    def weight(self) -> int:
        """How many addresses it brings to its owner."""
        return 1 + len(self.followers)


class Interchangeable(NamedTuple):
    """Addresses of which one is as good as another: nobody follows them or asks for a move."""

    example: Unit
    addresses: frozenset[str]
    """All that have its Topology and its preference, and whose selectors match the same nodes."""


@dataclass(frozen=True, slots=True)
class AffinityGroups:
    """All that an owner is to be found for."""

    by_leader: Mapping[str, AffinityGroup]
    """By the leader's address."""
    interchangeable: tuple[Interchangeable, ...]


def build_groups(units: Mapping[str, Unit], selection: SelectorIndex) -> AffinityGroups:
    """Put them together."""
    followers: dict[str, list[Unit]] = defaultdict(list)
    for unit in units.values():
        if unit.leader and unit.electable:
            followers[unit.leader].append(unit)
    for led in followers.values():
        led.sort(key=lambda unit: to_int(unit.address))
    found: dict[str, AffinityGroup] = {}
    kinds: dict[tuple[str, frozenset[str], str], tuple[Unit, list[str]]] = {}
    for address, unit in units.items():
        if unit.leader or not unit.electable:
            continue
        led, topology = followers.get(address, []), unit.topology
        found[address] = AffinityGroup(unit, tuple(led))
        is_odd = led or unit.request or unit.claimants
        if topology and not (is_odd or topology.excludes_off_subnet):
            kind = (topology.name, selection.matching_any(unit.selectors), unit.preference)
            known = kinds.get(kind)
            if known is None:
                known = kinds[kind] = (unit, [])
            known[1].append(address)
    alike = tuple(
        Interchangeable(unit, frozenset(addresses)) for unit, addresses in kinds.values()
    )
    return AffinityGroups(found, alike)
