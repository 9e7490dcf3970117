"""The NodePlumbings: which are to be made, and their spec as the API server stores it."""

from collections.abc import Mapping
from typing import Any

from duravip_api.addresses import grouped
from duravip_operator.core.handover import Plan
from duravip_operator.core.snapshot import Snapshot


def missing(snapshot: Snapshot, last: Mapping[str, Plan]) -> list[str]:
    """The nodes whose NodePlumbing is to be made; `last` is what each granted when seen last.

    Every Node has one. So has whatever was granted something when somebody deleted it by hand:
    else nobody would know what an agent may hold that still runs there.
    """
    granted = {name for name, plan in last.items() if any(plan.grants.values())}
    return sorted((snapshot.nodes.keys() | granted) - snapshot.plumbings.keys())


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
