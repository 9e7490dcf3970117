"""kube-vip: the ranges of its cloud provider's ConfigMap, and its Services' own addresses.

A Service gets an address of the pool of its namespace, or of the global one if the namespace has
none. Blocks (`cidr-…`) count before ranges (`range-…`), the global block before a namespace's
range. A block's network and broadcast addresses are never given out.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from duravip_api.addresses import Range, merge_ranges
from duravip_api.untrusted import list_of, mapping_of
from duravip_cli.address_ranges import holds
from duravip_cli.migration.conversion import (
    Drafts,
    PoolDraft,
    SegmentDraft,
    of_kind,
    read_ranges,
)
from duravip_cli.migration.foreign_services import asked_addresses
from duravip_cli.objects import Body, annotations_of, label_of, name_of, namespace_of, spec_of

CONFIG_MAP: Final = "kubevip"
SYSTEM: Final = "kube-system"
GLOBAL: Final = "global"
INTERFACE: Final = "kube-vip.io/serviceInterface"
DHCP: Final = "0.0.0.0"  # noqa: S104 - kube-vip's word for an address by DHCP
NAMESPACE_PRIORITY: Final = 50
"""Before the global pool, which has the default of 100."""

FIXED: Final = "kube-vip-fixed"
"""The pool of the addresses that Services name and no pool has: by it the operator knows that a
Service without a class may be taken over."""

_NAME: Final = "kube-vip"
_LEFT_OUT: Final[Mapping[str, str]] = {
    "cp_enable": "the address of the control plane: leave that to kube-vip, on other nodes' ports "
    "or as a static pod, with svc_enable off",
    "bgp_enable": "DuraVIP speaks no BGP",
    "enable_upnp": "no port is opened on a router",
    "enable_node_labeling": "no label tells the owner: `kubectl duravip services` does",
}


def read_kube_vip(bodies: Iterable[Body]) -> Drafts:
    """The pools and segments that kube-vip's ConfigMap, its pods and Services configure."""
    bodies = tuple(bodies)
    drafts = Drafts([], [], [])
    interface = _default_interface(bodies, drafts.notes)
    for body in of_kind(bodies, "v1", "ConfigMap"):
        if name_of(body) == CONFIG_MAP:
            _read_config_map(body, interface, drafts)
    held = [one for pool in drafts.pools for one in pool.ranges]
    alone: list[Range] = []
    for service in of_kind(bodies, "v1", "Service"):
        alone += _read_service(service, interface, held, drafts)
    if alone:
        unasked = {"autoAssign": False}
        drafts.pools.append(PoolDraft(FIXED, FIXED, merge_ranges(alone), unasked))
    return drafts


def _read_config_map(body: Body, interface: str, drafts: Drafts) -> None:
    label, data = label_of("ConfigMap", body), mapping_of(body.get("data"))
    interfaces = {key.partition("-")[2]: str(value) for key, value in data.items()
                  if key.startswith("interface-")}  # fmt: skip
    for name, key in _used_keys(label, data, drafts.notes):
        source, items = f"{label}: {key}", str(data[key]).split(",")
        if any(item.partition("/")[0].strip() == DHCP for item in items):
            drafts.notes.append(f"{source}: addresses by DHCP: not carried")
            continue
        ranges = read_ranges(source, items, drafts.notes, without_edges=True)
        tied = {"namespaces": [name], "priority": NAMESPACE_PRIORITY} if name != GLOBAL else {}
        drafts.pools.append(PoolDraft(source, f"{_NAME}-{name}", ranges, tied))
        where = interfaces.get(name) or interfaces.get(GLOBAL) or interface
        drafts.segments.append(SegmentDraft(source, _NAME, ranges, _some(where)))
    if str(data.get("search-order")) == "desc":
        drafts.notes.append(f"{label}: search-order: not carried: an address of a pool is chosen "
                            "by the Service's name")  # fmt: skip
    drafts.notes.extend(
        f"{label}: {key}: not carried: Services of one namespace share an address that they ask "
        "for, and no other"
        for key, value in data.items()
        if key.startswith("allow-share-") and str(value) == "true"
    )


def _used_keys(label: str, data: Mapping[str, Any], notes: list[str]) -> Iterator[tuple[str, str]]:
    """`(namespace or "global", key)` of each pool that kube-vip's cloud provider would use."""
    blocks, ranges = (
        {key.partition("-")[2]: key for key in sorted(data) if key.startswith(start)}
        for start in ("cidr-", "range-")
    )
    for name, key in (*blocks.items(), *ranges.items()):
        before = blocks.get(name) or blocks.get(GLOBAL) if key in ranges.values() else None
        if before:
            notes.append(f"{label}: {key}: not carried: kube-vip itself uses {before} instead")
        else:
            yield name, key


def _read_service(service: Body, interface: str, held: list[Range], drafts: Drafts) -> list[Range]:
    """The addresses of a Service that are in no pool; they need a Topology all the same."""
    label = label_of("Service", service)
    asked = [one for one in asked_addresses(service) if one != DHCP]
    ranges = read_ranges(label, asked, drafts.notes)
    own = str(annotations_of(service).get(INTERFACE) or "")
    alone = [one for one in ranges if not any(holds(pool, one) for pool in held)]
    if alone:
        name = f"{_NAME}-{namespace_of(service)}-{name_of(service)}" if own else _NAME
        where = _some(own or interface)
        drafts.segments.append(SegmentDraft(label, name, tuple(alone), where))
    return alone


def _some(interface: str) -> tuple[str, ...]:
    """An interface by name; `auto` stands for the one in the network."""
    return (interface,) if interface and interface != "auto" else ()


def _default_interface(bodies: Iterable[Body], notes: list[str]) -> str:
    """The interface that kube-vip's own pods are told; empty: none."""
    found = ""
    for body in bodies:
        for settings in _settings(body):
            label = label_of(str(body.get("kind")), body)
            notes.extend(
                f"{label}: {key}: not carried: {why}"
                for key, why in _LEFT_OUT.items()
                if settings.get(key) == "true"
            )
            found = found or settings.get("vip_servicesinterface", "")
            found = found or settings.get("vip_interface", "")
    return found


def _settings(body: Body) -> Iterator[Mapping[str, str]]:
    """The environment of each container of kube-vip in a DaemonSet or Pod."""
    spec = spec_of(body)
    if body.get("kind") == "DaemonSet":
        spec = spec_of(mapping_of(spec.get("template")))
    elif body.get("kind") != "Pod":
        return
    for container in map(mapping_of, list_of(spec.get("containers"))):
        image = str(container.get("image")).rpartition("/")[2]
        if image.partition(":")[0].partition("@")[0] == _NAME:
            listed = map(mapping_of, list_of(container.get("env")))
            yield {str(one.get("name")): str(one.get("value") or "") for one in listed}
