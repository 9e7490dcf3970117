"""Followers: an address that goes wherever another one goes.

Only a DuraVIP follows, and only an enabled unit is followed: by the name of a Binding in its own
namespace, or by address. Anything else leaves the follower without an owner and says why
(semantics 28, 29, 31). A follower narrows where its leader can go, so it is of the leader's unit:
the rule of the namespaces holds for it, and one that breaks it is Broken (semantics 54).
"""

from collections.abc import Mapping

from duravip_api.reasons import Reason
from duravip_operator.core.conflicts import Judged, Unit, may_share
from duravip_operator.core.snapshot import Entity, Rejection


def joined(judged: Judged) -> Judged:
    """The same units, those that only follow now with their leader, or with what is wrong."""
    named = bindings(judged)
    units, refused = dict(judged.units), dict(judged.refused)
    for address, unit in judged.units.items():
        followers = [entity for entity in unit.entities if entity.follow]
        if not followers:
            continue
        if not unit.managed:
            units[address] = _led(unit, followers[0], named, judged.units)
        else:
            selfish = [entity for entity in followers if followed(entity, named) == address]
            refused.update((entity.uid, _same_address(entity)) for entity in selfish)
    return Judged(units, refused)


def bindings(judged: Judged) -> dict[tuple[str, str], str]:
    """`{(namespace, name): address}` of every Binding that can be followed by its name."""
    return {
        (entity.namespace, entity.name): address
        for address, unit in judged.units.items()
        for entity in unit.entities
        if entity.kind == "Binding"
    }


def followed(follower: Entity, named: Mapping[tuple[str, str], str]) -> str:
    """The address that it follows: a Binding's of this name, else the one that it gives itself."""
    return named.get((follower.namespace, follower.follow), follower.follow)


def _led(
    unit: Unit,
    follower: Entity,
    named: Mapping[tuple[str, str], str],
    units: Mapping[str, Unit],
) -> Unit:
    target = followed(follower, named)
    leader = units.get(target)
    where = f"{follower.label}: spec.follow: {follower.follow!r}"
    others = {entity.follow for entity in unit.entities if entity.follow} - {follower.follow}
    if target == unit.address:
        wrong = _same_address(follower)
    elif others:
        why = f"{where}: another DuraVIP on {unit.address} follows {min(others)!r}"
        wrong = Rejection(Reason.FOLLOW_INVALID, why)
    elif leader is None:
        wrong = Rejection(Reason.FOLLOW_INVALID, f"{where} is no managed Binding or address")
    elif not may_share(follower.namespace, leader.entities[0], leader.topology):
        why = f"{where} belongs to another namespace"
        return unit._replace(managed=True, broken=Rejection(Reason.NAMESPACE_CONFLICT, why))
    elif not leader.managed:
        why = f"{where} is not enabled, or is itself a follower"
        wrong = Rejection(Reason.FOLLOW_INVALID, why)
    else:
        return unit._replace(managed=True, leader=target)
    return unit._replace(managed=True, refusal=unit.refusal or wrong)


def _same_address(follower: Entity) -> Rejection:
    why = f"{follower.label}: spec.follow: {follower.follow!r} has this very address"
    return Rejection(Reason.FOLLOW_SAME_ADDRESS, why)
