"""Followers: an address that goes wherever another one goes.

Only a DuraVIP follows, and only an enabled unit is followed: by the name of a Binding in its own
namespace, or by address. Anything else leaves the follower without an owner and says why
(semantics 28, 29, 31).
"""

from collections.abc import Mapping
from dataclasses import replace

from duravip_api.reasons import Reason
from duravip_operator.core.conflicts import Judged, Unit
from duravip_operator.core.snapshot import Entity, Rejection


def joined(judged: Judged) -> Judged:
    """The same units, those that only follow now with their leader, or with what is wrong."""
    named = {
        (entity.namespace, entity.name): address
        for address, unit in judged.units.items()
        for entity in unit.entities
        if entity.kind == "Binding"
    }
    units = dict(judged.units)
    for address, unit in judged.units.items():
        follower = next((entity for entity in unit.entities if entity.follow), None)
        if follower and not unit.managed:
            units[address] = _led(unit, follower, named, judged.units)
    return Judged(units, judged.refused)


def _led(
    unit: Unit,
    follower: Entity,
    named: Mapping[tuple[str, str], str],
    units: Mapping[str, Unit],
) -> Unit:
    target = named.get((follower.namespace, follower.follow), follower.follow)
    leader = units.get(target)
    where = f"{follower.label}: spec.follow: {follower.follow!r}"
    others = {entity.follow for entity in unit.entities if entity.follow} - {follower.follow}
    if target == unit.address:
        wrong = Rejection(Reason.FOLLOW_SAME_ADDRESS, f"{where} has this very address")
    elif others:
        why = f"{where}: another DuraVIP on {unit.address} follows {min(others)!r}"
        wrong = Rejection(Reason.FOLLOW_INVALID, why)
    elif leader is None:
        wrong = Rejection(Reason.FOLLOW_INVALID, f"{where} is no managed Binding or address")
    elif not leader.managed:
        why = f"{where} is not enabled, or is itself a follower"
        wrong = Rejection(Reason.FOLLOW_INVALID, why)
    else:
        return replace(unit, managed=True, leader=target)
    return replace(unit, managed=True, refusal=unit.refusal or wrong)
