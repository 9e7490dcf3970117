"""The spec of a NodePlumbing as the API server stores it."""

from collections.abc import Mapping
from typing import Any

from duravip_api.addresses import ranges
from duravip_operator.core.handover import Grants


def spec(grants: Grants, epoch: int, pulse: tuple[str, ...]) -> dict[str, Any]:
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
                "granted": ranges(addresses),
            }
            for where, addresses in grants.items()
            if addresses
        ],
        "grantedCount": sum(map(len, grants.values())),
    }


def same(one: Mapping[Any, frozenset[str]], other: Mapping[Any, frozenset[str]]) -> bool:
    """Whether two sets of grants say the same; an empty entry says nothing."""
    return {k: v for k, v in one.items() if v} == {k: v for k, v in other.items() if v}
