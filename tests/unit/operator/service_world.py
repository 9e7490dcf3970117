"""Services, pools and DuraVIPs as bodies, for the tests of what Services get."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from duravip_operator.core import parsing
from duravip_operator.core.address_pools import AddressPool, parse_pool
from duravip_operator.core.service_objects import ServiceObject, parse_service
from duravip_operator.core.service_vips import ServicePlan, ServiceSettings, plan_services
from duravip_operator.core.snapshot import Topology, VipObject

CLASS = "duravip.io/vip"
LAN = {"cidr": "10.1.1.0/24", "interface": "eth1"}


def service(
    name: str = "web",
    *,
    namespace: str = "default",
    ports: Iterable[str] = ("TCP/80",),
    annotations: Mapping[str, str] | None = None,
    status: Mapping[str, Any] | None = None,
    created: str = "2026-01-01T00:00:00Z",
    uid: str = "",
    **spec: Any,
) -> dict[str, Any]:
    """A Service's body; `spec` is added to its spec, and takes the place of what is there."""
    listed = [
        {"protocol": protocol, "port": int(port), "name": f"p{port}"}
        for protocol, port in (one.split("/") for one in ports)
    ]
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{namespace}-{name}",
            "creationTimestamp": created,
            "annotations": dict(annotations or {}),
        },
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": CLASS,
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": listed,
            **spec,
        },
        "status": dict(status or {}),
    }


def asking(address: str, name: str = "web", **more: Any) -> dict[str, Any]:
    """A Service that asks for an address."""
    families = ["IPv6" if ":" in address else "IPv4"]
    annotations = {"duravip.io/addresses": address}
    return service(name, annotations=annotations, ipFamilies=families, **more)


def topology(name: str = "lan", **spec: Any) -> Topology:
    """A Topology; 10.1.1.0/24 on eth1 unless told otherwise."""
    return parsing.topology({"metadata": {"name": name}, "spec": LAN | spec})


def pool(*ranges: str, name: str = "front", **spec: Any) -> AddressPool:
    """An AddressPool."""
    created = spec.pop("created", "2026-01-01T00:00:00Z")
    meta = {"name": name, "creationTimestamp": created}
    return parse_pool({"metadata": meta, "spec": {"ranges": list(ranges), **spec}})


BOTH = {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack"}
REQUIRED = {**BOTH, "ipFamilyPolicy": "RequireDualStack"}
SIX = topology("six", cidr="fd00::/64")
FOUR = pool("10.1.1.50-10.1.1.53", name="four")


def parsed(*bodies: Mapping[str, Any]) -> dict[str, ServiceObject]:
    """The Services by `namespace/name`."""
    return {one.key: one for one in map(parse_service, bodies)}


def vip(name: str, address: str, created: str = "2026-01-01T00:00:00Z", **more: Any) -> VipObject:
    """A DuraVIP that people have made, or a Binding with `kind`."""
    kind, namespace = more.pop("kind", "DuraVIP"), more.pop("namespace", "default")
    meta = {"name": name, "namespace": namespace, "uid": f"{kind}-{namespace}-{name}"}
    body = {"metadata": meta | {"creationTimestamp": created}, "spec": {"address": address} | more}
    return parsing.vip_object(kind, body)


def made(body: Mapping[str, Any], uid: str = "", created: str = "", **status: Any) -> VipObject:
    """A generated DuraVIP as it is there once it was created; in flight with `uid="-"`."""
    found = parsing.vip_object("DuraVIP", body)
    uid = "" if uid == "-" else uid or f"DuraVIP-{found.namespace}-{found.name}"
    return replace(found, uid=uid, created=created or "2026-02-02T00:00:00Z", status=status)


def plan(
    services: Iterable[Mapping[str, Any]],
    vips: Iterable[VipObject] = (),
    pools: Iterable[AddressPool] = (),
    topologies: Iterable[Topology] | None = None,
    occupied: Collection[str] = frozenset(),
    last: ServicePlan | None = None,
    **settings: Any,
) -> ServicePlan:
    """What is planned for these Services on one LAN."""
    where = (topology(),) if topologies is None else topologies
    ours = ServiceSettings(**settings)
    return plan_services(parsed(*services), pools, vips, where, ours, occupied, last)


def settled(services: Iterable[Mapping[str, Any]], **world: Any) -> list[VipObject]:
    """All DuraVIPs once what is planned for these Services was created."""
    services = list(services)
    vips = list(world.pop("vips", ()))
    for _ in range(20):
        found = plan(services, vips, **world)
        kept = [
            v for v in vips if f"{v.namespace}/{v.name}" not in {*found.updates, *found.deletes}
        ]
        new = [made(body) for body in (*found.creates.values(), *found.updates.values())]
        if not new and len(kept) == len(vips):
            return vips
        vips = kept + new
    raise AssertionError("no end of it")
