"""NodePlumbings: which ones to create and delete, and their spec as the API server stores it.

Every Node has a NodePlumbing. So has any node that may still hold something: otherwise nobody
would know about an agent that still runs there.
"""

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from duravip_api.addresses import compact_ranges
from duravip_api.grants import MOST_GRANTED
from duravip_operator.core.handover import Plan, status_counts
from duravip_operator.core.releases import ReleaseRecords
from duravip_operator.core.snapshot import Plumbing, Snapshot

MAX_CACHED_LISTS = 32
"""Lists of ranges that are cached: most of what a spec grants was in the one before."""


def to_create(
    snapshot: Snapshot, last: Mapping[str, Plan], records: ReleaseRecords
) -> dict[str, Plan]:
    """`{node: first plan}` of the NodePlumbings to create.

    `last` is what each granted when it was seen last. An object that somebody deleted by hand
    is created again with its grants, apart from what another one grants now or did then.
    """
    lost = {name: plan for name, plan in last.items() if name not in snapshot.plumbings}
    granted = _restorable_grants(lost, snapshot) if lost else {}  # in nearly every pass nothing is
    doubted = {name for name, record in records.items() if not record.is_empty}
    names = (snapshot.nodes.keys() | doubted) - snapshot.plumbings.keys()
    return {name: granted.get(name, Plan()) for name in sorted(names | granted.keys())}


def to_delete(snapshot: Snapshot, records: ReleaseRecords) -> list[Plumbing]:
    """The NodePlumbings whose Node is gone, and whose agent holds nothing any more."""
    plumbings = snapshot.plumbings.items()
    gone = [plumbing for name, plumbing in plumbings if name not in snapshot.nodes]
    return [plumbing for plumbing in gone if _is_spent(snapshot, plumbing, records)]


def _is_spent(snapshot: Snapshot, plumbing: Plumbing, records: ReleaseRecords) -> bool:
    if plumbing.granted:
        return False
    silence = snapshot.suspicions.get(plumbing.node)
    is_dead = silence is not None and silence.is_self_fenced and not silence.reachable_on
    if is_dead or not status_counts(snapshot, plumbing.node):
        return True
    record = records.get(plumbing.node)
    is_idle = plumbing.observed_generation is None or (plumbing.has_acted and not plumbing.served)
    return is_idle and (record is None or record.is_empty)


def _restorable_grants(lost: Mapping[str, Plan], snapshot: Snapshot) -> dict[str, Plan]:
    """Of the lost grants, those that no other NodePlumbing has, or had."""
    granting = Counter(address for plan in lost.values() for address in plan.addresses)
    elsewhere = {address for address, count in granting.items() if count > 1}
    elsewhere.update(*(plumbing.granted for plumbing in snapshot.plumbings.values()))
    left = {name: _without(plan, elsewhere) for name, plan in lost.items()}
    return {name: plan for name, plan in left.items() if plan.addresses}


def _without(plan: Plan, elsewhere: set[str]) -> Plan:
    grants = {where: addresses - elsewhere for where, addresses in plan.grants.items()}
    return Plan(grants, plan.contested - elsewhere, plan.guarded)


def build(
    plan: Plan,
    epoch: int,
    pulse: tuple[str, ...],
    ports: tuple[str, ...] = (),
    pulse_keys: tuple[str, ...] = (),
    *,
    ports_decide: bool = False,
    checks: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The spec that grants exactly the plan, written by the leader of this epoch.

    Agents add addresses in the order of the entries, and remove them in the opposite order, so
    addresses that follow another one come after all that do not.
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
        "portsDecide": ports_decide,
        "checks": list(checks),
        **({"guarded": list(plan.guarded)} if plan.guarded else {}),
    }


def unconfirmed_field(before: Plumbing, plan: Plan, left: frozenset[str] | None) -> dict[str, Any]:
    """The field `unconfirmed` for the spec that replaces that of `before`.

    `left` is what else the node may hold. The field is left out if that is unknown, or more
    than is parsed of a spec. The lists are built from the parts of the former spec, whose
    ranges are cached.
    """
    if left is None or sum(map(len, plan.grants.values())) + len(left) > MOST_GRANTED:
        return {}
    listed: list[str] = []
    for addresses in before.grants.values():
        revoked = addresses & left
        listed += (
            *_grouped(revoked - before.contested),
            *_grouped(revoked & before.contested),
        )
    listed += _grouped(left - before.granted)
    return {"unconfirmed": {"generation": before.generation + 1, "addresses": listed}}


def unconfirmed_field_of_new(
    name: str, last: Mapping[str, Plan], snapshot: Snapshot, records: ReleaseRecords
) -> dict[str, Any]:
    """The field for a node's first spec: it holds nothing, if nobody here knew about it before."""
    if name in last or name in records or name in snapshot.liveness:
        return {}
    return unconfirmed_field(Plumbing(name), Plan(), frozenset())


@lru_cache(MAX_CACHED_LISTS)
def _grouped(addresses: frozenset[str]) -> tuple[str, ...]:
    return tuple(compact_ranges(addresses))
