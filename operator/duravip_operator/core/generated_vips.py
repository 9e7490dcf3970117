"""Generated DuraVIPs: what the one that carries a Service's address looks like.

`GeneratedVip` holds what differs from one to the next. It is compared with the DuraVIP that is
there, and only when they differ a body is made of it. So whatever a hand has changed is put back.
"""

from typing import Any, NamedTuple

from duravip_api import API_VERSION
from duravip_api.services import POOL, SERVICE_LABEL, vip_name
from duravip_operator.core.service_objects import ServiceObject
from duravip_operator.core.service_origin import ServiceOrigin
from duravip_operator.core.snapshot import ReadinessKeys, Selector, Service, VipObject

Body = dict[str, Any]
NO_READINESS: ReadinessKeys = frozenset()


class GeneratedVip(NamedTuple):
    """What the DuraVIP of one Service and family is to be."""

    namespace: str
    name: str
    origin: ServiceOrigin
    address: str
    services: frozenset[Service]
    readiness: ReadinessKeys = NO_READINESS
    policy: str = "Require"
    preference: str = ""
    selector: Selector = ()
    is_guarded: bool = True
    enabled: bool = True
    """False where the address is that of a DuraVIP which people have made: that one decides
    whether it is managed, and by whom it goes."""

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    def is_as(self, vip: VipObject) -> bool:
        """Whether a DuraVIP of its name is as it is to be."""
        return (
            self.origin == vip.origin
            and self.address == vip.address
            and self.services == vip.services
            and self.readiness == vip.readiness
            and (self.policy == vip.readiness_policy or not self.readiness)
            and self.preference == vip.preference
            and self.selector == vip.selector
            and self.is_guarded == vip.is_guarded
            and self.enabled == vip.enabled
            and not vip.follow
            and vip.failback_s == 0
            and vip.may_balance
        )


def generate(service: ServiceObject, family: int, address: str, pool: str = "") -> GeneratedVip:
    """The DuraVIP that carries an address of a Service; `pool` is where the address came from."""
    return GeneratedVip(
        service.namespace,
        vip_name(service.name, family),
        ServiceOrigin(service.name, service.uid, pool),
        address,
        service.declared,
        service.readiness,
        "Require" if service.is_local else "Prefer",
        service.preference,
        service.selector,
    )


def vip_body(vip: GeneratedVip) -> Body:
    """The object as it is created."""
    owner = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": vip.origin.name,
        "uid": vip.origin.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    meta: Body = {
        "namespace": vip.namespace,
        "name": vip.name,
        "labels": {SERVICE_LABEL: vip.origin.name},
        "annotations": {POOL: vip.origin.pool} if vip.origin.pool else {},
        "ownerReferences": [owner],
    }
    spec: Body = {"address": vip.address, "services": _ports(vip)}
    if vip.is_guarded:
        spec["expose"] = "Declared"
    if not vip.enabled:
        spec["enableDuravip"] = False
    if vip.readiness:
        spec["readiness"] = {"endpointsOf": vip.origin.name, "policy": vip.policy}
    if vip.preference:
        spec["preference"] = vip.preference
    if vip.selector:
        spec["nodeSelector"] = dict(vip.selector)
    return {"apiVersion": API_VERSION, "kind": "DuraVIP", "metadata": meta, "spec": spec}


def _ports(vip: GeneratedVip) -> list[Body]:
    """The ports, in the same order on every replica."""
    named = [(*port.split("/"), name) for port, name in vip.services]
    return [
        {"name": name, "port": number, "protocol": protocol}
        for number, protocol, name in sorted((int(n), p, name) for p, n, name in named)
    ]
