"""The NodePlumbings: which are to be made, and their spec as the API server stores it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from duravip_api.addresses import grouped
from duravip_operator.core.handover import Plan
from duravip_operator.core.snapshot import Snapshot


def missing(snapshot: Snapshot, last: Mapping[str, Plan]) -> dict[str, Plan]:
    """The NodePlumbings that are to be made; `last` is what each granted when it was seen last.

    Every Node has one. So has whatever was granted something when somebody deleted it by hand:
    else nobody would know what an agent may hold that still runs there. What another one grants
    now was given up there since.
    """
    lost = {name: plan for name, plan in last.items() if name not in snapshot.plumbings}
    granting = Counter(address for plan in lost.values() for address in plan.addresses)
    elsewhere = {address for address, count in granting.items() if count > 1}
    elsewhere.update(*(plumbing.granted for plumbing in snapshot.plumbings.values()))
    left = {name: _without(plan, elsewhere) for name, plan in lost.items()}
    granted = {name: plan for name, plan in left.items() if plan.addresses}
    nodes = snapshot.nodes.keys() - snapshot.plumbings.keys()
    return {name: granted.get(name, Plan()) for name in sorted(nodes | granted.keys())}


def _without(plan: Plan, taken: set[str]) -> Plan:
    grants = {where: addresses - taken for where, addresses in plan.grants.items()}
    return Plan(grants, plan.contested - taken)


def spec(
    plan: Plan, epoch: int, pulse: tuple[str, ...], ports: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The spec that grants exactly this, said by the leader of this epoch."""
    return {
        "epoch": epoch,
        "pulse": list(pulse),
        "interfaces": [
            {
                "name": where.interface,
                "mask": where.mask,
                "arpAllHosts": where.arp_all_hosts,
                "arpTargets": list(where.arp_targets),
                "fencing": where.fencing or "Segment",
                "granted": grouped(addresses - plan.contested),
                "contested": grouped(addresses & plan.contested),
            }
            for where, addresses in plan.grants.items()
            if addresses
        ],
        "grantedCount": sum(map(len, plan.grants.values())),
        "ports": list(ports),
    }
