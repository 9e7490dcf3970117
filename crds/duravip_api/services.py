"""Services of type LoadBalancer: the names by which they ask for addresses, and what they get.

Annotations of MetalLB, kube-vip and Cilium are read as well, so that a chart that knows only
those needs no edit.
"""

from typing import Final

from duravip_api import GROUP

LOAD_BALANCER_CLASS: Final = f"{GROUP}/vip"
"""`spec.loadBalancerClass` of the Services that are ours, unless an option says otherwise."""

VIP: Final = f"{GROUP}/vip"
"""`NAME[,NAME]`: the DuraVIPs of the namespace whose addresses the Service gets."""

ADDRESSES: Final = f"{GROUP}/addresses"
"""`ADDRESS[,ADDRESS]`: the addresses it gets, at most one of each family."""

ADDRESSES_ALIASES: Final = (
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
    "kube-vip.io/loadbalancerIPs",
    "lbipam.cilium.io/ips",
)
"""The same in the words of others. Of several that differ the first counts."""

POOL: Final = f"{GROUP}/pool"
"""On a Service, the AddressPool that its addresses are to come from. On a generated DuraVIP, the
one that its address came from."""

POOL_ALIASES: Final = ("metallb.io/address-pool", "metallb.universe.tf/address-pool")

PREFERENCE: Final = f"{GROUP}/preference"
"""A Node's name, as `spec.preference` of a DuraVIP."""

NODE_SELECTOR: Final = f"{GROUP}/node-selector"
"""`KEY=VALUE[,KEY=VALUE…]`, as `spec.nodeSelector` of a DuraVIP."""

PREFER_LOCAL: Final = f"{GROUP}/prefer-local"
"""`true`: a node with a ready endpoint is preferred though `externalTrafficPolicy` is Cluster."""

SERVICE_LABEL: Final = f"{GROUP}/service"
"""On a generated DuraVIP: the name of its Service."""

READY_CONDITION: Final = f"{GROUP}/Ready"
"""The condition that the operator writes into `status.conditions` of a Service."""


def vip_name(service: str, family: int) -> str:
    """The name of the DuraVIP that carries the Service's address of a family, 4 or 6."""
    return f"svc-{service}" if family == 4 else f"svc-{service}-v6"  # noqa: PLR2004 - IPv4
