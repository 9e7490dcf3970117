"""The NodePlumbings: which to make, which to drop, and their spec as the API server stores it."""

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from duravip_api.addresses import compact_ranges
from duravip_api.grants import MOST_GRANTED
from duravip_operator.core.handover import Plan, status_counts
from duravip_operator.core.releases import ReleaseRecords
from duravip_operator.core.snapshot import Plumbing, Snapshot

LISTS_KNOWN = 32
"""Most of what a spec grants was in the one before."""


def to_create(
    snapshot: Snapshot, last: Mapping[str, Plan], memory: ReleaseRecords
) -> dict[str, Plan]:
    """The NodePlumbings that are to be made; `last` is what each granted when it was seen last.

    Every Node has one. So has whatever was granted something when somebody deleted it by hand, or
    may hold something still: else nobody would know of an agent that still runs there. What
    another one grants now was given up there since.
    """
    lost = {name: plan for name, plan in last.items() if name not in snapshot.plumbings}
    granted = _given_back(lost, snapshot) if lost else {}  # in nearly every pass nothing is
    doubted = {name for name, doubts in memory.items() if not doubts.is_empty}
    names = (snapshot.nodes.keys() | doubted) - snapshot.plumbings.keys()
    return {name: granted.get(name, Plan()) for name in sorted(names | granted.keys())}


def to_delete(snapshot: Snapshot, memory: ReleaseRecords) -> list[Plumbing]:
    """The NodePlumbings whose Node is gone, and which have nothing left to tell."""
    plumbings = snapshot.plumbings.items()
    gone = [plumbing for name, plumbing in plumbings if name not in snapshot.nodes]
    return [plumbing for plumbing in gone if _is_spent(snapshot, plumbing, memory)]


def _is_spent(snapshot: Snapshot, plumbing: Plumbing, memory: ReleaseRecords) -> bool:
    if plumbing.granted:
        return False
    silence = snapshot.suspicions.get(plumbing.node)
    is_dead = silence is not None and silence.is_self_fenced and not silence.reachable_on
    if is_dead or not status_counts(snapshot, plumbing.node):
        return True
    doubts = memory.get(plumbing.node)
    is_idle = plumbing.observed_generation is None or (plumbing.has_acted and not plumbing.served)
    return is_idle and (doubts is None or doubts.is_empty)


def _given_back(lost: Mapping[str, Plan], snapshot: Snapshot) -> dict[str, Plan]:
    """Of what was lost, that which no other NodePlumbing grants, nor did."""
    granting = Counter(address for plan in lost.values() for address in plan.addresses)
    elsewhere = {address for address, count in granting.items() if count > 1}
    elsewhere.update(*(plumbing.granted for plumbing in snapshot.plumbings.values()))
    left = {name: _without(plan, elsewhere) for name, plan in lost.items()}
    return {name: plan for name, plan in left.items() if plan.addresses}


def _without(plan: Plan, taken: set[str]) -> Plan:
    grants = {where: addresses - taken for where, addresses in plan.grants.items()}
    return Plan(grants, plan.contested - taken)


def build(
    plan: Plan,
    epoch: int,
    pulse: tuple[str, ...],
    ports: tuple[str, ...] = (),
    pulse_keys: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The spec that grants exactly this, said by the leader of this epoch.

    Agents add addresses in the order of the entries, and remove them in the opposite one: what
    follows another address comes after all that do not.
    """
    last = plan.followers
    entries = [(where, addresses - last) for where, addresses in plan.grants.items()]
    entries += [(where, addresses & last) for where, addresses in plan.grants.items()]
    return {
        "epoch": epoch,
        "pulse": list(pulse),
        "pulseKeys": list(pulse_keys),
        "interfaces": [
            {
                "name": where.interface,
                "mask": where.mask,
                "arpAllHosts": where.arp_all_hosts,
                "arpTargets": list(where.arp_targets),
                "fencing": where.fencing or "Segment",
                "granted": _grouped(addresses - plan.contested),
                "contested": _grouped(addresses & plan.contested),
            }
            for where, addresses in entries
            if addresses
        ],
        "grantedCount": sum(map(len, plan.grants.values())),
        "ports": list(ports),
    }


def unconfirmed_field(before: Plumbing, plan: Plan, left: frozenset[str] | None) -> dict[str, Any]:
    """What is added to the spec that follows upon `before`: what else the node may hold.

    Nothing, if nobody knows, or if it is more than is read of a spec. The lists are made from the
    parts of the former spec, which were made into lists before.
    """
    if left is None or sum(map(len, plan.grants.values())) + len(left) > MOST_GRANTED:
        return {}
    listed: list[str] = []
    for addresses in before.grants.values():
        taken = addresses & left
        listed += (*_grouped(taken - before.contested), *_grouped(taken & before.contested))
    listed += _grouped(left - before.granted)
    return {"unconfirmed": {"generation": before.generation + 1, "addresses": listed}}


def unconfirmed_field_of_new(
    name: str, last: Mapping[str, Plan], snapshot: Snapshot, memory: ReleaseRecords
) -> dict[str, Any]:
    """The same for a first spec: the node holds nothing, if nobody here knew of it before."""
    if name in last or name in memory or name in snapshot.liveness:
        return {}
    return unconfirmed_field(Plumbing(name), Plan(), frozenset())


@lru_cache(LISTS_KNOWN)
def _grouped(addresses: frozenset[str]) -> tuple[str, ...]:
    return tuple(compact_ranges(addresses))
