"""The spec of a NodePlumbing as the API server stores it."""

from typing import Any

from duravip_api.addresses import grouped
from duravip_operator.core.handover import Plan


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
